"""PostgreSQL restarts, is away, drops or refuses connections, refuses writes, ends transactions, runs out of disk.

Each fault lasts until apply has counted that its batches failed for it (`vibes_apply_batch_retries_total`).
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias

import asyncpg

from tests.chaos.fault import Fault, Needs
from tests.chaos.faults.small_disk import small_disk
from tests.chaos.world import World

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_LASTS_SECONDS = (0.3, 3.0)
_CONNECTIONS = 60
_RETRIES = re.compile(r'^vibes_apply_batch_retries_total\{reason="(\w+)"\} (\S+)$', re.MULTILINE)
_OURS = "datname = current_database() AND application_name LIKE 'vibes-pipeline %'"
_TERMINATE = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {_OURS}"  # noqa: S608 - a constant
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
_LOCK_HALF = """
SELECT 1 FROM persons WHERE company_key = $1 AND (person_uid >= (
    SELECT person_uid FROM persons WHERE company_key = $1 ORDER BY person_uid
    OFFSET (SELECT count(*) / 2 FROM persons WHERE company_key = $1) LIMIT 1
)) = $2 ORDER BY person_uid FOR UPDATE
"""
_APPLY_WAITS = """
SELECT EXISTS (
    SELECT FROM pg_stat_activity
    WHERE application_name = 'vibes-pipeline apply' AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
)
"""


class _PostgresFault(Fault):
    """Of a server that takes few connections."""

    def needs(self) -> Needs:
        return Needs(postgres_settings={"max_connections": str(_CONNECTIONS)})


@dataclass
class Away(_PostgresFault):
    """The server stops, for so long at least, and comes back; after `immediate` it has to recover."""

    name: str
    mode: Literal["fast", "immediate"]
    seconds: tuple[float, float]
    quick: bool = False

    async def inject(self, world: World, random: Random) -> None:
        seen = await _retries(world)
        await asyncio.to_thread(world.postgres.stop, self.mode)
        try:
            await world.last(random.uniform(*self.seconds))
            await _felt(world, seen)
        finally:
            await asyncio.to_thread(world.postgres.start)


@dataclass
class ConnectionsKilled(_PostgresFault):
    """An administrator ends every session of the pipeline, again and again."""

    name: str = "postgres_connections_killed"
    times: int = 5

    async def inject(self, world: World, random: Random) -> None:
        seen = await _retries(world)
        for _ in range(self.times):
            await world.until(lambda: _terminated(world), "sessions of the pipeline are ended")
            await world.last(random.uniform(0.05, 1.0))

        async def felt() -> bool:
            await _terminated(world)
            return await _retries(world) > seen

        # Between two transactions nobody minds.
        await world.until(felt, "a batch fails because its session is ended")


@dataclass
class OutOfConnections(_PostgresFault):
    """Somebody else has taken all connections there are."""

    name: str = "postgres_out_of_connections"

    async def inject(self, world: World, random: Random) -> None:
        async with _connected(world) as control:
            seen = await _retries(world, "TooManyConnectionsError")
            taken: list[Connection] = []
            try:

                async def all_taken() -> bool:
                    await _take_all(world, taken)
                    return (
                        await control.fetchval(_TERMINATE) == 0
                        and await _retries(world, "TooManyConnectionsError") > seen
                    )

                await world.until(all_taken, "apply is refused a connection")
                await world.last(random.uniform(*_LASTS_SECONDS))
            finally:
                await asyncio.gather(*(connection.close() for connection in taken))


@dataclass
class ReadOnly(_PostgresFault):
    """The database takes no writes, as a standby, or a server that protects a nearly full disk."""

    name: str = "postgres_read_only"

    async def inject(self, world: World, random: Random) -> None:
        seen = await _retries(world, "ReadOnlySQLTransactionError")
        await _configure(world, "ALTER SYSTEM SET default_transaction_read_only = on")
        try:
            await _felt(world, seen, "ReadOnlySQLTransactionError")
            await world.last(random.uniform(*_LASTS_SECONDS))
        finally:
            await _configure(world, "ALTER SYSTEM RESET default_transaction_read_only")


@dataclass
class Deadlocks(_PostgresFault):
    """Somebody locks persons in another order than the pipeline, whose transactions are chosen to end the deadlocks."""

    name: str = "postgres_deadlocks"
    times: int = 3

    async def inject(self, world: World, random: Random) -> None:
        async with _connected(world) as connection:
            # Who has waited for so long looks, once, for deadlocks and, finding one, ends its own transaction. Apply
            # does after a second. If the circle closed after that, it is ours to end, and another attempt is due.
            await connection.execute("SET deadlock_timeout = '4s'")
            seen = await connection.fetchval(_DEADLOCKS)
            ours = 0

            async def happened() -> bool:
                nonlocal ours
                try:
                    await self._attempt(world, connection)
                except asyncpg.DeadlockDetectedError:
                    ours += 1
                return bool(await connection.fetchval(_DEADLOCKS) - ours >= seen + self.times)

            await world.until(happened, f"{self.times} deadlocks")
            await world.last(random.uniform(*_LASTS_SECONDS))

    async def _attempt(self, world: World, connection: Connection) -> None:
        async with connection.transaction():
            await connection.execute(_LOCK_HALF, world.company_key, True)

            async def apply_waits() -> bool:
                return bool(await connection.fetchval(_APPLY_WAITS))

            # It has locked the persons before the one that it waits for; a person worker locks one person alone.
            await world.until(apply_waits, "apply waits for a person")
            await connection.execute(_LOCK_HALF, world.company_key, False)


@dataclass
class FullTablespace(_PostgresFault):
    """The disk of the log of callbacks is full. The ledger is elsewhere, so a trial write succeeds all the while."""

    name: str = "postgres_full_tablespace"

    async def inject(self, world: World, random: Random) -> None:
        (row,) = await world.sql("SELECT tableoid::regclass::text AS name FROM callback_events LIMIT 1")
        seen = await _retries(world, "DiskFullError")
        async with small_disk(world, row["name"]) as fill:
            await fill()
            await _felt(world, seen, "DiskFullError")
            await world.last(random.uniform(*_LASTS_SECONDS))


async def _felt(world: World, before: float, reason: str | None = None) -> None:
    async def counted() -> bool:
        return await _retries(world, reason) > before

    await world.until(counted, f"a batch of apply fails by {reason or 'an error of Postgres'}")


async def _retries(world: World, reason: str | None = None) -> float:
    shown = await asyncio.to_thread(world.part("apply").metrics)
    return sum(float(count) for why, count in _RETRIES.findall(shown) if reason in (None, why))


async def _terminated(world: World) -> bool:
    (row,) = await world.sql(_TERMINATE)
    return bool(row["count"] > 0)


async def _configure(world: World, statement: str) -> None:
    await world.sql(statement)
    await world.sql("SELECT pg_reload_conf()")


async def _take_all(world: World, taken: list[Connection]) -> None:
    while True:
        try:
            taken.append(await asyncpg.connect(world.database_url))
        except asyncpg.TooManyConnectionsError:
            return


@asynccontextmanager
async def _connected(world: World) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(world.database_url)
    try:
        yield connection
    finally:
        await connection.close()


FAULTS = (
    Away("postgres_restart", "immediate", _LASTS_SECONDS, quick=True),
    Away("postgres_down", "fast", (30.0, 31.0)),
    ConnectionsKilled(),
    OutOfConnections(),
    ReadOnly(),
    Deadlocks(),
    FullTablespace(),
)
