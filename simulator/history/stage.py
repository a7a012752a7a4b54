"""The stage of a history: a story's state, with an agenda in the place of a clock that only ticks."""

from collections.abc import Callable
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final

from simulator.history.announcing import Chronicler
from simulator.history.spec import HistorySpec
from simulator.mobiledb import MobileDB
from simulator.scenario.population import CUSTOM_FIELDS
from simulator.scenario.stage import Stage
from simulator.seeds import seeded
from simulator.times import SECOND, ceil_to

if TYPE_CHECKING:
    from simulator.history.calendar import Programme
    from simulator.history.campaigns import Way
    from simulator.model import Campaign

Act = Callable[[], None]

_STEPS: Final = tuple(timedelta(milliseconds=n) for n in range(1, 21))
_AT_WHOLE_SECONDS: Final = 0.3


class HistoryStage(Stage):
    """Everything the acts of a history share. `room` is how many events may still be told."""

    announcer: Chronicler

    def __init__(self, spec: HistorySpec) -> None:
        rng = seeded(spec.seed, spec.company_key, "history", spec.begin.date(), spec.until.date(), spec.events)
        super().__init__(MobileDB(spec.company_key, CUSTOM_FIELDS), rng, spec.begin)
        self.announcer = Chronicler(spec.company_key, rng)
        self.spec = spec
        self.room = spec.events
        self.list_ids: dict[Programme, str] = {}
        self.ways: dict[str, list[tuple[Way, Campaign]]] = {}
        self._agenda: list[tuple[datetime, int, Act]] = []
        self._order = count()

    def plan(self, at: datetime, act: Act) -> None:
        """Have something done at a moment, to the millisecond, if the history lasts that long."""
        if at < self.spec.until:
            whole = at.replace(microsecond=at.microsecond // 1000 * 1000)
            heappush(self._agenda, (whole, next(self._order), act))

    def planned_before(self, moment: datetime) -> int:
        """Return how many acts are to be done before a moment."""
        return sum(at < moment for at, _, _ in self._agenda)

    def next_act(self, until: datetime) -> Act | None:
        """Go on to the next act before a moment, and return it; None: there is none."""
        if not self._agenda or self._agenda[0][0] >= until:
            return None
        at, _, act = heappop(self._agenda)
        self.now = max(self.now, at)
        return act

    def tick(self) -> datetime:
        """Let a few milliseconds pass; hurry is what makes it possible to have a million events in a year."""
        draw = self.rng.random()
        self.now += _STEPS[int(draw * len(_STEPS))]
        if draw < _AT_WHOLE_SECONDS and (whole := ceil_to(self.now, SECOND)) < self.spec.until:
            self.now = whole
        return self.now
