"""How far long work is: bars on a terminal, a plain line now and then elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_LINE_SECONDS = 5.0


class Steps:
    """Shows several counts side by side, each on its way to a total."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._next_line = 0.0

    def show(self, **counts: tuple[int, int]) -> None:
        """Show for each step how much is done, and of how much."""
        for name, (done, total) in counts.items():
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name.replace("_", " "), total=None)
            self._bars.update(self._tasks[name], completed=done, total=total)
        if not self._console.is_terminal and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_SECONDS
            told = (f"{name.replace('_', ' ')} {done}/{total}" for name, (done, total) in counts.items())
            self._console.print(", ".join(told))

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
