"""How far the import is: a bar on a terminal, a line now and then elsewhere. On standard error."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_LINE_SECONDS = 5.0


class Watch:
    """Shows rows and bytes read. A context: in the end the bar stays as it is."""

    def __init__(self, verb: str, total_bytes: int | None) -> None:
        self._verb = verb
        self._total = total_bytes
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rows]:,} rows"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(verb, total=total_bytes, rows=0)
        self._began = self._next_line = time.monotonic()

    def __enter__(self) -> Self:
        """Show the bar."""
        self._next_line += _LINE_SECONDS
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar."""
        self._bar.stop()

    def show(self, rows: int, position: int) -> None:
        """Show how many rows and bytes were read."""
        self._bar.update(self._task, completed=position, rows=rows)
        now = time.monotonic()
        if not self._console.is_terminal and now >= self._next_line:
            self._next_line = now + _LINE_SECONDS
            share = f", {position / self._total:.0%} of the file" if self._total else ""
            self.tell(f"{self._verb}: {rows:,} rows{share}, {rows / (now - self._began):,.0f} rows/s")

    def tell(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)
