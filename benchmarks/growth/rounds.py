"""Databases of several sizes, and the same callbacks drained into each of them in turn."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg
from rich.console import Console

from benchmarks import bodies, traffic
from benchmarks.growth.claims import claim_cost
from benchmarks.growth.history import COMPANY, persons_of
from benchmarks.growth.log import checkpoint, page_bytes
from benchmarks.ingest.queues import Queues
from benchmarks.memory.clean import require_accounted, require_running
from benchmarks.memory.drain import Drain, drain
from benchmarks.memory.temporary import topology_of
from benchmarks.queued import fill
from deploy.local.errors import ServiceError
from deploy.local.stack import Stack

_STATISTICS = "ANALYZE callback_ledger, callback_messages, persons, person_identities, subscriptions, person_sync"
_BYTES = "SELECT pg_database_size(current_database())"
_PERSONS = "SELECT count(*), count(*) FILTER (WHERE greatest(seen_mdn_at, profile_event_date) >= $1) FROM persons"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    first: int
    """Callbacks right after the checkpoint."""
    callbacks: int
    """Of each round after these."""
    rounds: int
    claims: int
    """Statements of a round that claim keys."""


@dataclass(slots=True)
class Measured:
    """What one database did."""

    first: Drain
    """Right after the checkpoint."""
    rounds: list[Drain] = field(default_factory=list)
    """Later."""
    claim_us: list[float] = field(default_factory=list)
    """For each key, in each round."""
    page_bytes: list[int | None] = field(default_factory=list)
    """Of whole pages in the log: at first, and of each round; None where the server cannot tell."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A stack whose database holds a history already."""

    stack: Stack
    queues: Queues
    events: int
    """Of the history."""

    def apply(self, callbacks: Sequence[bytes]) -> Drain:
        """Queue these callbacks and have one apply process drain them. Raises ServiceError when that was not clean."""
        since = datetime.now(UTC)
        asyncio.run(fill(self.stack.environment["AMQP_URL"], topology_of(self.stack), COMPANY, callbacks))
        drained = drain(self.stack, len(callbacks), since, self._check)
        self._check()
        return drained

    def analyze(self) -> None:
        """Have PostgreSQL look at its tables, as it does by itself within a minute of a new database's life."""
        asyncio.run(_fetch(self.stack.database_url, _STATISTICS))

    def claim(self, statements: int, seed: int) -> float:
        """Return the microseconds it takes to claim a key."""
        return asyncio.run(claim_cost(self.stack.database_url, statements, seed))

    def page_bytes(self, drained: Drain) -> int | None:
        """Return how many bytes of the log of a drain are whole pages; None where the server cannot tell."""
        return asyncio.run(page_bytes(self.stack.database_url, drained.log))

    def bytes(self) -> int:
        """Return how much of the disk the database takes, with all its indexes."""
        ((size,),) = asyncio.run(_fetch(self.stack.database_url, _BYTES))
        return int(size)

    def persons(self) -> tuple[int, int]:
        """Return how many persons of the history, and how many new ones, the callbacks were about.

        Raises ServiceError when none was known: the history has to be about the same persons as the traffic.
        """
        begin = datetime.fromisoformat(bodies.moment(0))
        ((there, told),) = asyncio.run(_fetch(self.stack.database_url, _PERSONS, begin))
        new = there - persons_of(self.events)
        known = told - new
        if self.events and not known:
            raise ServiceError("no callback was about a person of the history: benchmarks/growth/sql names other ids")
        return known, new

    def _check(self) -> None:
        require_running(self.stack)
        self.queues.check_not_blocked()


def take_turns(databases: Mapping[str, Grown], size: Size, console: Console) -> dict[str, Measured]:
    """Give every database the same callbacks after a checkpoint, round by round, every other time in reverse order.

    So what else the machine does hits all alike, and a round finds all databases equally long after the checkpoint.
    Claims come last, as they change pages of the ledger too. In the end the audit has to find every callback. Raises
    ServiceError.
    """
    order = list(databases.items())
    callbacks = traffic.callbacks(size.first)
    asyncio.run(checkpoint(order[0][1].stack.database_url))
    measured = {name: Measured(grown.apply(callbacks)) for name, grown in order}
    for grown in databases.values():
        if not grown.events:
            grown.analyze()
    for number in range(size.rounds):
        callbacks = traffic.callbacks(size.callbacks, first=size.first + number * size.callbacks)
        for name, grown in _in_turn(order, number):
            measured[name].rounds.append(grown.apply(callbacks))
        told = ", ".join(f"{name} {done.rounds[-1].rate:,.0f}" for name, done in measured.items())
        console.print(f"apply: {told} events/s", soft_wrap=True)
    for name, done in measured.items():
        done.page_bytes += map(databases[name].page_bytes, (done.first, *done.rounds))
    for number in range(size.rounds):
        for name, grown in _in_turn(order, number):
            measured[name].claim_us.append(grown.claim(size.claims, number))
    for grown in databases.values():
        require_accounted(grown.stack, grown.events + size.first + size.rounds * size.callbacks)
    return measured


def _in_turn(order: Sequence[tuple[str, Grown]], number: int) -> Iterable[tuple[str, Grown]]:
    return order if number % 2 == 0 else reversed(order)


async def _fetch(database_url: str, statement: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()
