"""Group commit: which waiting callbacks go into the next broker message. No I/O.

All callbacks that arrived while publishes were in flight leave together with the next one, a company at a time: the
more traffic, the larger the groups, and a callback that is alone leaves at once.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from ingest.answers import Receipt, Refusal
from schemas.broker_message import ReceivedCallback

Answer = Receipt | Refusal


@dataclass(eq=False, slots=True)
class Waiting:
    """A callback and the answer its request waits for. Whoever gives the answer first decides it."""

    callback: ReceivedCallback
    answer: asyncio.Future[Answer]

    def settle(self, answer: Answer) -> bool:
        """Give the answer; return False when there is one already."""
        if self.answer.done():
            return False
        self.answer.set_result(answer)
        return True


@dataclass(eq=False, slots=True)
class Lane:
    """The callbacks of one company."""

    company_key: str
    waiting: deque[Waiting] = field(default_factory=deque)
    acknowledged: int = 0
    """Receipts given so far."""
    reported: int = 0
    """The greatest `acknowledged` that a confirmed broker message has told."""
    acknowledged_at: float = 0.0
    """When the last receipt was given, in the event loop's time."""
    has_turn: bool = False


@dataclass(eq=False, slots=True)
class Group:
    """Callbacks of one company that share a broker message."""

    lane: Lane
    waiting: list[Waiting]

    def confirm(self, receipts: list[Receipt], now: float) -> None:
        """Give each request that still waits its receipt, and count it."""
        given = sum(waiting.settle(receipt) for waiting, receipt in zip(self.waiting, receipts, strict=True))
        if given:
            self.lane.acknowledged += given
            self.lane.acknowledged_at = now

    def refuse(self, refusal: Refusal) -> None:
        """Refuse each request that still waits."""
        for waiting in self.waiting:
            waiting.settle(refusal)


class Groups:
    """All callbacks that wait for a publish."""

    def __init__(self, max_callbacks: int, max_bytes: int) -> None:
        self._max_callbacks = max_callbacks
        self._max_bytes = max_bytes
        self._lanes: dict[str, Lane] = {}
        self._turns: deque[Lane] = deque()
        """Lanes with callbacks, the next one's turn first; a lane is in it once."""

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every lane that was ever used."""
        return tuple(self._lanes.values())

    def lane(self, company_key: str) -> Lane:
        """Return the company's lane."""
        lane = self._lanes.get(company_key)
        if lane is None:
            lane = self._lanes[company_key] = Lane(company_key)
        return lane

    def add(self, company_key: str, waiting: Waiting) -> None:
        """Let a callback wait for the next group of its company."""
        lane = self.lane(company_key)
        lane.waiting.append(waiting)
        self._give_turn(lane)

    def take(self) -> Group | None:
        """Return the next group, or None when nothing waits. Companies take turns.

        What has been answered meanwhile (its deadline came first) is left out.
        """
        while self._turns:
            lane = self._turns.popleft()
            lane.has_turn = False
            taken = self._take_from(lane.waiting)
            if lane.waiting:
                self._give_turn(lane)
            if taken:
                return Group(lane, taken)
        return None

    def refuse_all(self, refusal: Refusal) -> None:
        """Refuse everything that waits."""
        while group := self.take():
            group.refuse(refusal)

    def forget_answered(self, company_key: str) -> None:
        """Let go of the oldest callbacks that have been answered already, so that an outage piles up nothing."""
        waiting = self.lane(company_key).waiting
        while waiting and waiting[0].answer.done():
            waiting.popleft()

    def _give_turn(self, lane: Lane) -> None:
        if not lane.has_turn:
            lane.has_turn = True
            self._turns.append(lane)

    def _take_from(self, waiting: deque[Waiting]) -> list[Waiting]:
        taken: list[Waiting] = []
        size = 0
        while waiting and len(taken) < self._max_callbacks:
            if waiting[0].answer.done():
                waiting.popleft()
                continue
            size += len(waiting[0].callback.body)
            if taken and size > self._max_bytes:
                break
            taken.append(waiting.popleft())
        return taken
