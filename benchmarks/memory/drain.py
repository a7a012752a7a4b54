"""How long an apply process needs for what waits, whatever is in the database already."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from benchmarks.apply.gate import held
from benchmarks.apply.progress import follow
from deploy.local.stack import Part, Stack

# By the time of receipt, for which there is an index: a long history is not added up at every look.
_DEALT_WITH = """
SELECT coalesce(sum(applied + duplicates + quarantined + dead_lettered), 0)::bigint
FROM callback_messages
WHERE received_at >= $1
"""
_LOG_POSITION = "SELECT pg_current_wal_insert_lsn() - '0/0'"


@dataclass(frozen=True, slots=True)
class Drain:
    """What it took."""

    events: int
    """Callbacks dealt with in `seconds`: all but those of the first moment."""
    seconds: float
    wal_bytes: int
    """What the whole server wrote to its log meanwhile, the first moment included."""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


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
        position = runner.run(connection.fetchval(_LOG_POSITION))
        with held(stack.database_url, "callback_ledger"):
            part = stack.start("apply")
            if started is not None:
                started(part)
        progress = follow(
            lambda: min(runner.run(connection.fetchval(_DEALT_WITH, since)), expected) - begun, expected - begun, check
        )
        written = runner.run(connection.fetchval(_LOG_POSITION)) - position
        runner.run(connection.close())
    part.stop()
    del stack.parts[part.name]
    return Drain(progress.events, progress.seconds, int(written))


async def _dealt_with(database_url: str, since: datetime) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval(_DEALT_WITH, since))
    finally:
        await connection.close()
