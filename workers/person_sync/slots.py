"""Slots of a company's rate in this process: when they begin by the clock here, and whose they are."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from schemas.errors import ServiceError

_LATELY = 50
"""Of so many answers the quickest tells the difference of the clocks."""
_A_FEW = 5


@dataclass(frozen=True, slots=True)
class Lease:
    """Slots that follow each other: `begins_at` by the event loop's clock."""

    slots: int
    begins_at: float
    seconds_apart: float


class DatabaseClock:
    """The database's clock, read here: all workers have to mean the same moment by a slot.

    What the database tells is old by the time it arrives, by a little that varies; so the quickest of the last answers
    counts, and a few are needed before the first slot.
    """

    def __init__(self, here: Callable[[], float]) -> None:
        self._here = here
        self._differences: deque[float] = deque(maxlen=_LATELY)

    @property
    def is_known(self) -> bool:
        """Whether answers enough have come to rely on the quickest of them."""
        return len(self._differences) >= _A_FEW

    def show(self, told_at: float) -> None:
        """Take note of what the database's clock showed, as told by an answer that has just come."""
        self._differences.append(self._here() - told_at)

    def here(self, moment: float) -> float:
        """Return when a moment of the database's clock is by the clock here."""
        return moment + min(self._differences)


class Line:
    """Requests that wait for slots, first come, first served, and the one task that leases for them."""

    def __init__(self, lease: Callable[[int], Awaitable[Lease | float]]) -> None:
        self._lease = lease
        self._waiting: deque[asyncio.Future[float]] = deque()
        self._leasing: asyncio.Task[None] | None = None

    async def next_slot(self) -> float:
        """Return when the caller's slot begins, by the event loop's clock. Raises ServiceError."""
        slot: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append(slot)
        if self._leasing is None:
            self._leasing = asyncio.create_task(self._serve())
        return await slot

    async def _serve(self) -> None:
        """Lease for all that wait; those who come meanwhile share the next lease."""
        try:
            while wanted := self._still_waiting():
                granted = await self._lease(wanted)
                if isinstance(granted, float):
                    await asyncio.sleep(granted)
                else:
                    self._hand_out(granted)
        except ServiceError as error:
            for slot in self._waiting:
                if not slot.done():
                    slot.set_exception(ServiceError(*error.args))
            self._waiting.clear()
        finally:
            self._leasing = None

    def _still_waiting(self) -> int:
        self._waiting = deque(slot for slot in self._waiting if not slot.done())
        return len(self._waiting)

    def _hand_out(self, lease: Lease) -> None:
        """Give the slots to the first who still wait. What is left over, because they gave up, passes unused."""
        for number in range(min(lease.slots, self._still_waiting())):
            self._waiting.popleft().set_result(lease.begins_at + number * lease.seconds_apart)
