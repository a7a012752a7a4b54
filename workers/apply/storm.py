"""Stop when too many would become dead letters through a fault of ours: docs/decisions/0015-poison-storm.md.

A few that cannot be applied are set aside, each alone, and the others go on. When they are many, it is the release or
the database that is wrong, and what would be set aside is better left in the queue.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Literal

import structlog

from runtime import metrics
from runtime.lifecycle import wait_or_stop
from runtime.postgres import POSTGRES_ERRORS
from runtime.settings import Settings
from schemas.errors import MessageError, ServiceError
from workers.apply.blame import refusal_blames_us

log = structlog.get_logger()

What = Literal["callbacks", "crm_changes"]
KINDS: tuple[What, What] = ("callbacks", "crm_changes")
_TO_DO = (
    "nothing is lost: the messages are back in the queue. The errors logged before tell what cannot be applied. Go "
    "back to the release before, deploy one that is mended, or mend the database; docs/dead-letters.md says more. To "
    "have dead letters all the same: VIBES_PIPELINE_APPLY_STORM_SHARE=1"
)
_TO_DO_LATER = (
    "nothing is lost: the messages are back in the queue. Deploy the release that wrote them, or a later one, for "
    "apply too; docs/upgrades.md says more"
)


class PoisonStormError(ServiceError):
    """Too many would become dead letters: their messages go back to the queue."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What makes a storm."""

    share: float
    """More than this of the last callbacks."""
    at_least: int
    """And at least so many of them."""
    window: int
    """How many the last ones are."""
    trial_seconds: float
    """How often it is tried whether the storm is over."""


def limits_of(settings: Settings) -> Limits:
    """Return the configured limits."""
    return Limits(
        settings.apply_storm_share,
        settings.apply_storm_min_callbacks,
        settings.apply_storm_window_callbacks,
        settings.apply_storm_trial_seconds,
    )


class Window:
    """How many of the last callbacks became dead letters through a fault of ours. Pure."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._batches: deque[tuple[int, int]] = deque()
        self._items = self._poison = 0

    def add(self, items: int, poison: int) -> None:
        """Take a batch in, and let go of those before the last `window` callbacks."""
        self._batches.append((items, poison))
        self._items += items
        self._poison += poison
        while self._items - self._batches[0][0] >= self._limits.window:
            items, poison = self._batches.popleft()
            self._items -= items
            self._poison -= poison

    def is_storm(self, items: int, poison: int) -> bool:
        """Tell whether a further batch, with so much of it poison, would make it a storm."""
        items, poison = self._items + items, self._poison + poison
        return poison >= self._limits.at_least and poison > self._limits.share * items


class StormGuard:
    """Watches over one kind of messages in one process. Whoever takes them asks it before setting any aside."""

    def __init__(self, what: What, limits: Limits) -> None:
        self._what = what
        self._limits = limits
        self._window = Window(limits)
        self._trial: Callable[[], Awaitable[None]] | None = None
        self._began, self._calm = asyncio.Event(), asyncio.Event()
        self._calm.set()
        metrics.APPLY_POISON_STORM.labels(what).set(0)

    @property
    def problem(self) -> str | None:
        """Why nothing is taken now; None: it is."""
        return None if self._calm.is_set() else f"poison storm: no {self._what} are taken, see the log"

    def case(self, items: int, poison: int, trial: Callable[[], Awaitable[None]]) -> "Case":
        """Begin with a batch of which so many cannot be read through a fault of ours.

        `trial` does as if, keeping nothing, and raises PoisonStormError if that would be a storm still: it is what the
        end of a storm is told by. Raises PoisonStormError.
        """
        case = Case(self, items, poison, trial)
        case.refused(())
        return case

    def check(self, items: int, poison: int, trial: Callable[[], Awaitable[None]]) -> None:
        """Raise PoisonStormError, and begin the storm unless it rages, when a batch with so much poison makes one."""
        if not self._window.is_storm(items, poison):
            return
        if self._begin(trial):
            log.error("apply.poison_storm", what=self._what, items=items, cannot_be_applied=poison, to_do=_TO_DO)
        raise PoisonStormError(f"poison storm: {poison} of {items} {self._what} cannot be applied, at least")

    def refuse_later(self, messages: int) -> None:
        """Raise PoisonStormError, and begin a storm, for messages of a later release, be it one.

        This process will never read them, so only its end ends the storm. Where there are no storms (a share of 1) they
        are set aside like any other that cannot be read.
        """
        if not messages or self._limits.share >= 1:
            return
        told = f"{messages} messages with {self._what}, at least, are of a later release"

        async def never_over() -> None:
            raise PoisonStormError(told)

        if self._begin(never_over):
            log.error("apply.later_messages", what=self._what, messages=messages, to_do=_TO_DO_LATER)
        raise PoisonStormError(told)

    def _begin(self, trial: Callable[[], Awaitable[None]]) -> bool:
        """Begin a storm; False: one rages already."""
        if not self._calm.is_set():
            return False
        self._trial = trial
        self._calm.clear()
        self._began.set()
        metrics.APPLY_POISON_STORM.labels(self._what).set(1)
        return True

    def settled(self, items: int, poison: int) -> None:
        """Take in what a batch has come to."""
        self._window.add(items, poison)

    def refuse_while_raging(self) -> None:
        """Raise PoisonStormError during a storm."""
        if self.problem is not None:
            raise PoisonStormError(self.problem)

    async def wait_for_calm(self, stop: asyncio.Event) -> None:
        """Wait until there is no storm, or until `stop` is set."""
        await _either(self._calm, stop)

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped: during a storm, try now and then whether it is over. A trial costs no delivery."""
        while not stop.is_set():
            await _either(self._began, stop)
            if not await wait_or_stop(stop, self._limits.trial_seconds):
                await self._try()

    async def _try(self) -> None:
        assert self._trial is not None  # noqa: S101 - set before `_began`
        try:
            await self._trial()
        except PoisonStormError as error:
            log.error("apply.poison_storm_goes_on", what=self._what, detail=str(error), to_do=_TO_DO)  # noqa: TRY400
        except POSTGRES_ERRORS as error:
            log.warning("apply.postgres_unavailable", error=type(error).__name__)
        else:
            self._trial, self._window = None, Window(self._limits)
            self._began.clear()
            self._calm.set()
            metrics.APPLY_POISON_STORM.labels(self._what).set(0)
            log.warning("apply.poison_storm_over", what=self._what)


@dataclass(slots=True)
class Case:
    """A batch that is being settled."""

    _guard: StormGuard
    _items: int
    _unreadable: int
    _trial: Callable[[], Awaitable[None]]
    _refused: int = 0

    def refused(self, problems: Collection[MessageError]) -> None:
        """Take why some of it are refused, all of them so far. Raises PoisonStormError."""
        self._refused = sum(map(refusal_blames_us, problems))
        self._guard.check(self._items, self._unreadable + self._refused, self._trial)

    def settled(self) -> None:
        """Tell that it is settled."""
        self._guard.settled(self._items, self._unreadable + self._refused)


async def _either(event: asyncio.Event, stop: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(each.wait()) for each in (event, stop)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
