"""One worker at a time deals with a person, in the whole fleet.

A lock is a PostgreSQL advisory lock of the session, and all locks of a process are held by one connection that does
nothing else. Compared with the alternatives:

- A row lock, or an advisory lock of a transaction, would keep a transaction open during the HTTP calls, which holds
  back vacuum for the whole database, and would need a connection for every call under way.
- A lease (a row with an expiry) ends while its holder lives: a worker stopped by SIGSTOP, or starved, wakes up after it
  and writes stale state. The session, and so the lock, lives as long as the process does, stopped or not (the kernel
  answers the server's keepalives), and ends at once when the process is killed.

The locks can be lost while the process lives: the server restarts or fails over, or the network fails. Then every call
under way is cancelled (`watch`), and its message is delivered again. As the loss is not noticed at once, `confirm` asks
the server, and is called before each attempt of a call; a silent connection is found out within 10 seconds, and the
server gives the locks up only after 30 (its TCP keepalives, set here). What is left is the moment between the question
and the request: Vibes has no conditional write to close it with. An outcome written that late changes nothing: see
`outbox.finish`.

The connection must be one session: not through a pooler that shares sessions between transactions.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

from asyncpg.connect_utils import SessionAttribute

from runtime.postgres import POSTGRES_ERRORS, connect
from runtime.postgres_trouble import in_a_line, postgres_trouble
from schemas.errors import ServiceError
from schemas.person_due import PersonDue

if TYPE_CHECKING:
    import asyncpg

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 5.0
_HEARTBEAT_SECONDS = 5.0
_SERVER_SETTINGS = {
    "idle_session_timeout": "0",
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


@asynccontextmanager
async def open_locks(database_url: str) -> AsyncIterator["PersonLocks"]:
    """Connect; hold locks until the block ends, which releases all of them.

    Only a server that can be written to will do: a standby has locks of its own. Raises ServiceError when there is none
    to connect to.
    """
    try:
        connection = await connect(
            database_url,
            "person-sync locks",
            timeout=_CONNECT_SECONDS,
            target_session_attrs=SessionAttribute.read_write,
            server_settings=_SERVER_SETTINGS,
        )
    except POSTGRES_ERRORS as error:
        raise ServiceError(f"no connection for the locks: {in_a_line(postgres_trouble(error))}") from error
    locks = PersonLocks(connection)
    heartbeat = asyncio.ensure_future(locks.keep_alive())
    try:
        yield locks
    finally:
        heartbeat.cancel()
        await asyncio.gather(heartbeat, return_exceptions=True)
        locks.give_up()


class LocksLostError(ServiceError):
    """The session that held the locks is gone, and with it every lock."""


class PersonLocks:
    """The locks of this process; made by `open_locks`."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self._held: set[int] = set()
        self._lost = asyncio.Event()
        self._asked = 0
        self._confirmed = 0
        connection.add_termination_listener(lambda _connection: self._lost.set())

    @asynccontextmanager
    async def hold(self, due: PersonDue) -> AsyncIterator[bool]:
        """Hold the person's lock; yields whether it could be had. Never waits for it. Raises LocksLostError."""
        key = lock_key(due)
        # A session is given a lock it has already, so what this process holds is known here.
        if key in self._held:
            yield False
            return
        self._held.add(key)
        try:
            taken = bool(await self._ask("SELECT pg_try_advisory_lock($1)", key))
            yield taken
            if taken:
                await self._ask("SELECT pg_advisory_unlock($1)", key)
        except BaseException:
            # Whether the server still holds the lock is in doubt now, or its work was cut short.
            self.give_up()
            raise
        finally:
            self._held.discard(key)

    async def confirm(self) -> None:
        """Make sure that the locks are still held. Raises LocksLostError.

        Those who wait for their turn to ask share the answer to a question that was asked after they came.
        """
        came = self._asked
        async with self._turn:
            if self._confirmed <= came:
                self._asked += 1
                await self._ask_now("SELECT true")
                self._confirmed = self._asked

    async def watch(self) -> NoReturn:
        """Wait until the locks are lost, then raise LocksLostError."""
        await self._lost.wait()
        raise LocksLostError("the connection that held the locks is gone")

    async def keep_alive(self) -> None:
        """Ask the server now and then, so that a connection that went silent is noticed."""
        while not self._lost.is_set():
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            await self.confirm()

    def give_up(self) -> None:
        """End the session at once, and with it every lock."""
        self._lost.set()
        self._connection.terminate()

    async def _ask(self, query: str, *args: object) -> object:
        async with self._turn:
            return await self._ask_now(query, *args)

    async def _ask_now(self, query: str, *args: object) -> object:
        if self._lost.is_set():
            raise LocksLostError("the connection that held the locks is gone")
        try:
            return await self._connection.fetchval(query, *args, timeout=_ANSWER_SECONDS)
        except POSTGRES_ERRORS as error:
            self.give_up()
            raise LocksLostError(f"the connection that held the locks failed: {type(error).__name__}") from error


def lock_key(due: PersonDue) -> int:
    """Return the number of a person's lock: 64 bits of a hash, so two persons share one practically never."""
    digest = hashlib.sha256(f"person-sync\x00{due.company_key}\x00{due.person_uid}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
