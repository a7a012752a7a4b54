"""Group commit: which waiting callbacks go into the next broker message. No I/O.

All callbacks that arrived while publishes were in flight leave together with the next one, a company at a time: the
more traffic, the larger the groups, and a callback that is alone leaves at once. While a group of its company is in
flight the next one leaves only when it is worth a message, which costs as much as thirty callbacks in it.
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
    company_key: str
    deadline: float
    """In the event loop's time."""

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
    in_flight: int = 0
    """Groups that were taken and are not settled."""


@dataclass(eq=False, slots=True)
class Group:
    """Callbacks of one company that share a broker message."""

    lane: Lane
    waiting: list[Waiting]

    def confirm(self, receipts: list[Receipt], now: float) -> int:
        """Give each request that still waits its receipt; return how many that were."""
        given = sum(waiting.settle(receipt) for waiting, receipt in zip(self.waiting, receipts, strict=True))
        if given:
            self.lane.acknowledged += given
            self.lane.acknowledged_at = now
        return given

    def refuse(self, refusal: Refusal) -> None:
        """Refuse each request that still waits."""
        for waiting in self.waiting:
            waiting.settle(refusal)


class Groups:
    """All callbacks that wait for a publish.

    `worth_a_message`: that many callbacks of a company leave although others of it are in flight.
    """

    def __init__(self, max_callbacks: int, max_bytes: int, worth_a_message: int = 1) -> None:
        self._max_callbacks = max_callbacks
        self._max_bytes = max_bytes
        self._worth_a_message = worth_a_message
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

    def add(self, company_key: str, waiting: Waiting) -> bool:
        """Let a callback wait for the next group of its company; return whether that group may leave now."""
        lane = self.lane(company_key)
        lane.waiting.append(waiting)
        self._give_turn(lane)
        return self._may_leave(lane)

    def take(self) -> Group | None:
        """Return the next group, or None when nothing may leave. Companies take turns.

        What has been answered meanwhile (its deadline came first) is left out. Settle the group, in the end.
        """
        for _ in range(len(self._turns)):
            lane = self._turns.popleft()
            lane.has_turn = False
            taken = self._take_from(lane.waiting) if self._may_leave(lane) else []
            if lane.waiting:
                self._give_turn(lane)
            if taken:
                lane.in_flight += 1
                return Group(lane, taken)
        return None

    def may_one_leave(self) -> bool:
        """Tell whether `take` would find something."""
        return any(map(self._may_leave, self._turns))

    def settled(self, group: Group) -> None:
        """Note that the group is no longer in flight."""
        group.lane.in_flight -= 1

    def refuse_all(self, refusal: Refusal) -> None:
        """Refuse everything that waits."""
        for lane in self._lanes.values():
            for waiting in lane.waiting:
                waiting.settle(refusal)
            lane.waiting.clear()

    def forget_answered(self, company_key: str) -> None:
        """Let go of the oldest callbacks that have been answered already, so that an outage piles up nothing."""
        waiting = self.lane(company_key).waiting
        while waiting and waiting[0].answer.done():
            waiting.popleft()

    def _may_leave(self, lane: Lane) -> bool:
        return not lane.in_flight or len(lane.waiting) >= self._worth_a_message

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
