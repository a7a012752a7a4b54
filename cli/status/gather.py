"""Ask Postgres, RabbitMQ and the processes; what one of them does not tell keeps nobody from asking the others."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Self, TypeVar

import aiohttp
from aio_pika.abc import AbstractConnection

from cli.accounts import Account, balance
from cli.services import postgres, rabbitmq, why
from cli.status.processes import Process, ask_processes, ask_processes_here
from runtime.amqp import BROKER_ERRORS
from runtime.postgres import POSTGRES_ERRORS, Connection, statement
from runtime.queues import QueueDepth, ask_depths
from runtime.settings import Settings
from schemas.errors import ServiceError
from workers.measuring import COUNT_TO

Service = TypeVar("Service")

_RECENT = timedelta(minutes=5)
_LONGEST_SECONDS = 10.0
"""Then a service is taken for away."""

Row = dict[str, Any]


@dataclass(slots=True)
class Status:
    """What the pipeline has done, and what is waiting, at one moment."""

    at: datetime
    accounts: list[Account] = field(default_factory=list)
    queues: list[QueueDepth] = field(default_factory=list)
    last_received_at: datetime | None = None
    last_applied_at: datetime | None = None
    person_syncs: list[Row] = field(default_factory=list)
    """How many there are in each state. Empty when that was not asked for: all rows have to be read."""
    person_api: list[Row] = field(default_factory=list)
    """Calls of the last five minutes."""
    sync_backlog: list[Row] = field(default_factory=list)
    """Of each company: what waits, since when, what is in conflict, and how much of its rate is left."""
    dead_letters: list[Row] = field(default_factory=list)
    """How many are open, of each company, stage and reason."""
    processes: list[Process] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Why a service could not be asked."""


class Watcher:
    """Asks as often as it is told to, over connections that are kept; an error costs one its connection."""

    def __init__(self, settings: Settings, addresses: Sequence[str] = (), *, thorough: bool = False) -> None:
        """`addresses` of processes to ask, instead of those on this machine. `thorough`: read all syncs too."""
        self._settings = settings
        self._addresses = addresses
        self._thorough = thorough
        self._postgres = _Kept(lambda: postgres(settings))
        self._rabbitmq = _Kept(lambda: rabbitmq(settings))
        self._http = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._http.close()
        await self._rabbitmq.drop()
        await self._postgres.drop()

    async def look(self) -> Status:
        """Ask all of them at the same time."""
        status = Status(datetime.now(UTC))
        database, broker, status.processes = await asyncio.gather(
            self._ask(self._postgres, lambda connection: self._read(connection, status), "DATABASE_URL: Postgres"),
            self._ask(self._rabbitmq, lambda connection: self._count(connection, status), "AMQP_URL: RabbitMQ"),
            ask_processes(self._http, self._addresses)
            if self._addresses
            else ask_processes_here(self._http, self._settings),
        )
        status.problems = [problem for problem in (database, broker) if problem is not None]
        return status

    async def _ask(
        self, kept: "_Kept[Service]", question: Callable[[Service], Awaitable[None]], name: str
    ) -> str | None:
        """Return why a service could not be asked, None when it was."""
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                await question(await kept.get())
        except ServiceError as error:
            return str(error)
        except (*POSTGRES_ERRORS, *BROKER_ERRORS) as error:
            await kept.drop()
            return f"{name} does not answer ({why(error)})"
        return None

    async def _read(self, connection: Connection, status: Status) -> None:
        rows = await connection.fetch(statement("account_callbacks"), None)
        status.accounts = balance(map(dict, rows))
        status.last_received_at = max((row["last_received_at"] for row in rows), default=None)
        status.last_applied_at = max((row["last_applied_at"] for row in rows), default=None)
        status.sync_backlog = _dicts(await connection.fetch(statement("measure_syncs"), COUNT_TO))
        status.dead_letters = _dicts(await connection.fetch(statement("measure_dead_letters")))
        status.person_api = _dicts(await connection.fetch(statement("count_person_api_calls"), status.at - _RECENT))
        if self._thorough:
            status.person_syncs = _dicts(await connection.fetch(statement("count_syncs")))

    async def _count(self, connection: AbstractConnection, status: Status) -> None:
        status.queues = await ask_depths(connection, self._settings.topology.queues)


async def gather_status(settings: Settings, addresses: Sequence[str] = (), *, thorough: bool = False) -> Status:
    """Ask once."""
    async with Watcher(settings, addresses, thorough=thorough) as watcher:
        return await watcher.look()


class _Kept(Generic[Service]):
    """A connection that is opened when it is asked for, and again after it was dropped."""

    def __init__(self, open_: Callable[[], AbstractAsyncContextManager[Service]]) -> None:
        self._open = open_
        self._opened: tuple[AsyncExitStack, Service] | None = None

    async def get(self) -> Service:
        if self._opened is None:
            async with AsyncExitStack() as stack:
                service = await stack.enter_async_context(self._open())
                self._opened = (stack.pop_all(), service)
        return self._opened[1]

    async def drop(self) -> None:
        if self._opened is not None:
            stack, _ = self._opened
            self._opened = None
            with suppress(*POSTGRES_ERRORS, *BROKER_ERRORS):  # it is dropped because it is broken
                await stack.aclose()


def _dicts(rows: Sequence[Any]) -> list[Row]:
    return [dict(row) for row in rows]
