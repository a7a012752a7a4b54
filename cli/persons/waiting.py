"""Wait until the person workers have dealt with what was asked for."""

import asyncio
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.persons.requesting import Asked
from runtime.postgres import Connection, statement

_ASK_SECONDS = 0.25
_ASK_ALL_SECONDS = 2.0
_LINE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of what was asked for."""

    waiting: int
    synced: int
    not_done: int
    """Dealt with, but with a remark: there was nothing that could be written or read."""
    conflicts: int


async def wait_until_done(connection: Connection, company_key: str, asked: Asked, seconds: float) -> Tally:
    """Wait until nothing that was asked for is waiting, for `seconds` at most; show how it goes on standard error."""
    uids = None if asked.uids is None else list(asked.uids)
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    with _Display(asked.count) as display:
        while True:
            waiting = await connection.fetchval(statement("count_waiting_syncs"), company_key, uids, asked.since)
            display.update(waiting)
            left = ends_at - loop.time()
            if not waiting or left <= 0:
                break
            await asyncio.sleep(min(left, _ASK_SECONDS if uids else _ASK_ALL_SECONDS))
    row = await connection.fetchrow(statement("count_sync_outcomes"), company_key, uids, asked.since)
    assert row is not None  # noqa: S101 - a count always returns a row
    return Tally(waiting, row["synced"], row["not_done"], row["conflicts"])


class _Display:
    """A progress bar on a terminal, a line now and then elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._said_at: float | None = None
        console = Console(stderr=True)
        columns = (TextColumn("syncs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console) if console.is_terminal else None
        self._task = self._progress.add_task("syncs", total=total) if self._progress else None

    def __enter__(self) -> Self:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._progress:
            self._progress.stop()

    def update(self, waiting: int) -> None:
        """Show how many are still waiting."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=self._total - waiting)
            return
        now = asyncio.get_running_loop().time()
        if self._said_at is None or now - self._said_at >= _LINE_SECONDS:
            self._said_at = now
            print(f"waiting for {waiting} of {self._total}", file=sys.stderr)
