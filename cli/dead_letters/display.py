"""How far a run is: a bar on a terminal, a line now and then elsewhere. On standard error."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from workers.replay.letters import Letter
from workers.replay.results import Outcome
from workers.replay.runs import Run
from workers.replay.settle import Results

_LINE_SECONDS = 5.0
_SHOWN_IDS = 10


@dataclass(frozen=True, slots=True)
class Found:
    """What letters have in common of which the same came."""

    outcome: Outcome
    company_key: str | None
    callback_type: str | None
    before: str
    """Why they had been set aside."""
    stage: str | None
    reason: str | None
    """Why they failed this time; None: they did not."""


@dataclass(slots=True)
class Count:
    """How many letters, and the first of their ids."""

    letters: int = 0
    ids: list[int] = field(default_factory=list)


class Display:
    """Shows how far it is, and counts what came of the letters of this command."""

    def __init__(self, run: Run, verb: str) -> None:
        self.found: defaultdict[Found, Count] = defaultdict(Count)
        self._verb = verb
        self._total = run.total
        self._done = run.counts.total()
        self._console = Console(stderr=True, highlight=False)
        self._next_line = time.monotonic() + _LINE_SECONDS
        self._bar = Progress(
            TextColumn(verb),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=run.total or None, completed=self._done)

    def notice(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)

    def settled(self, run: Run, letters: Sequence[Letter], results: Results) -> None:
        """Take what came of some letters."""
        for letter in letters:
            result = results.get(letter.id)
            if result is None:
                continue
            callback_type = result.callback_type or letter.callback_type
            count = self.found[
                Found(result.outcome, letter.company_key, callback_type, letter.reason, result.stage, result.reason)
            ]
            count.letters += 1
            if len(count.ids) < _SHOWN_IDS:
                count.ids.append(letter.id)
        self._done += len(letters)
        counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(run.counts.items()))
        self._bar.update(self._task, completed=self._done, description=counts)
        if not self._console.is_terminal and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_SECONDS
            self.notice(f"{self._verb}: {self._done}/{max(self._total, self._done)} letters: {counts}")

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it is."""
        self._bar.stop()
