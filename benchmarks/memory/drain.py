"""How long an apply process needs for what waits, whatever is in the database already."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from benchmarks.apply.gate import held
from benchmarks.apply.progress import follow
from deploy.local.stack import Part, Stack
from runtime.postgres import Connection

# By the time of receipt, for which there is an index: a long history is not added up at every look.
_DEALT_WITH = """
SELECT coalesce(sum(applied + duplicates + quarantined + dead_lettered), 0)::bigint
FROM callback_messages
WHERE received_at >= $1
"""
_LOG_POSITION = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
_PAGES = "SELECT wal_fpi FROM pg_stat_wal"


@dataclass(frozen=True, slots=True)
class Drain:
    """What it took."""

    callbacks: int
    """In all."""
    events: int
    """Callbacks dealt with in `seconds`: all but those of the first moment."""
    seconds: float
    log: tuple[int, int]
    """Where the server's log was before and after, in bytes from its beginning."""
    pages: int
    """How many pages the whole server wrote to its log whole, meanwhile."""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def wal_bytes(self) -> int:
        """What the whole server wrote to its log meanwhile."""
        begin, end = self.log
        return end - begin


def dealt_with(database_url: str, since: datetime) -> int:
    """Return how many of the callbacks received since then were dealt with."""
    return asyncio.run(_dealt_with(database_url, since))


def drain(
    stack: Stack,
    expected: int,
    since: datetime,
    check: Callable[[], None],
    started: Callable[[Part], None] | None = None,
) -> Drain:
    """Start an apply process, and stop it once at least `expected` of the callbacks received `since` are dealt with.

    Time counts from when it is seen to work. `started` is told of the process before it begins; `check` is called all
    the time and raises when there is no hope. Raises ServiceError when nothing goes on any more.
    """
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(stack.database_url))
        begun = runner.run(connection.fetchval(_DEALT_WITH, since))
        position, pages = runner.run(_logged(connection))
        with held(stack.database_url, "callback_ledger"):
            part = stack.start("apply")
            if started is not None:
                started(part)
        progress = follow(
            lambda: min(runner.run(connection.fetchval(_DEALT_WITH, since)), expected) - begun, expected - begun, check
        )
        part.stop()  # its connections tell the server's statistics what they did when they end
        del stack.parts[part.name]
        position_after, pages_after = runner.run(_logged(connection))
        runner.run(connection.close())
    return Drain(expected - begun, progress.events, progress.seconds, (position, position_after), pages_after - pages)


async def _logged(connection: Connection) -> tuple[int, int]:
    """Return where the server's log is, and how many pages are in it whole."""
    return await connection.fetchval(_LOG_POSITION), await connection.fetchval(_PAGES)


async def _dealt_with(database_url: str, since: datetime) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval(_DEALT_WITH, since))
    finally:
        await connection.close()
