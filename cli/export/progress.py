"""How far an export is: a bar on a terminal, a line now and then elsewhere. On standard error."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_LINE_SECONDS = 5.0


class Watch:
    """Shows what is being done, and how many rows of all have been written. A context; `quiet` shows nothing."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed:,.0f} rows"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("export", total=None)
        self._rows = self._total = 0
        self._next_line = time.monotonic() + _LINE_SECONDS

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar."""
        self._bar.stop()

    def counting(self, dataset: str) -> None:
        """Tell that a dataset is looked at for changes."""
        self._bar.update(self._task, description=f"looking at {dataset}")
        self._tell(f"looking at {dataset}")

    def begin(self, rows: int) -> None:
        """Tell how many rows there are to write."""
        self._total = rows
        self._bar.update(self._task, total=rows)

    def wrote(self, dataset: str, rows: int) -> None:
        """Tell that so many more rows were written."""
        self._rows += rows
        self._bar.update(self._task, description=dataset, completed=self._rows)
        self._tell(f"{dataset}: {self._rows:,} of {self._total:,} rows")

    def _tell(self, text: str) -> None:
        now = time.monotonic()
        if not self._console.is_terminal and now >= self._next_line:
            self._next_line = now + _LINE_SECONDS
            self._console.print(text, markup=False, soft_wrap=True)
