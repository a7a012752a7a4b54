"""One timer ends the wait of all requests."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from ingest.answers import DEADLINE, Receipt
from ingest.deadlines import Deadlines
from ingest.groups import Waiting
from schemas.broker_message import ReceivedCallback


@dataclass
class Clock:
    """An event loop as far as its timers go; its time passes when it is told to."""

    now: float = 100.0
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def as_loop(self) -> asyncio.AbstractEventLoop:
        return cast("asyncio.AbstractEventLoop", self)

    def call_at(self, when: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self.as_loop())
        self.timers.append(timer)
        return timer

    def advance_to(self, now: float) -> None:
        """Let the timers fire that are due until then, each at its time."""
        while due := sorted(timer for timer in self.timers if timer.when() <= now):
            self.now = max(self.now, due[0].when())
            self.timers.remove(due[0])
            due[0]._run()
        self.now = now


class Watch:
    """Deadlines on a clock of ours, and what they ended."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.ended: list[tuple[float, Waiting]] = []
        self.deadlines = Deadlines(self.clock.as_loop(), self._expire)

    def _expire(self, waiting: Waiting) -> None:
        self.ended.append((self.clock.now, waiting))
        waiting.settle(DEADLINE)

    def watch(self, deadline: float) -> Waiting:
        callback = ReceivedCallback(b"{}", datetime(2026, 1, 1, tzinfo=UTC), "192.0.2.1", "POST", "main")
        waiting = Waiting(callback, asyncio.get_running_loop().create_future(), "acme", deadline)
        self.deadlines.watch(waiting)
        return waiting


async def test_a_callback_expires_at_its_deadline_and_not_before() -> None:
    watch = Watch()
    waiting = watch.watch(101.5)
    watch.clock.advance_to(101.4)
    assert watch.ended == []
    watch.clock.advance_to(102.0)
    assert watch.ended == [(101.5, waiting)]


async def test_each_expires_at_its_own_deadline() -> None:
    watch = Watch()
    first, second = watch.watch(101.5), watch.watch(101.7)
    watch.clock.advance_to(110.0)
    assert watch.ended == [(101.5, first), (101.7, second)]


async def test_an_earlier_deadline_that_comes_later_is_kept_too() -> None:
    watch = Watch()
    later, earlier, latest = watch.watch(101.5), watch.watch(101.2), watch.watch(101.9)
    watch.clock.advance_to(110.0)
    assert watch.ended == [(101.2, earlier), (101.5, later), (101.9, latest)]


async def test_an_earlier_deadline_is_kept_when_the_later_one_was_answered_and_let_go_of() -> None:
    watch = Watch()
    watch.watch(101.5).settle(Receipt("m", 0))
    watch.deadlines.forget_answered()
    earlier = watch.watch(101.2)
    watch.clock.advance_to(110.0)
    assert watch.ended == [(101.2, earlier)]


async def test_an_answered_callback_does_not_expire() -> None:
    watch = Watch()
    overtaken, answered, waiting = watch.watch(101.5), watch.watch(101.6), watch.watch(101.7)
    early = watch.watch(101.1)
    for each in (early, overtaken, answered):
        each.settle(Receipt("m", 0))
    watch.clock.advance_to(110.0)
    assert watch.ended == [(101.7, waiting)]


async def test_one_timer_is_for_all_however_many_wait() -> None:
    watch = Watch()
    for number in range(100):
        watch.watch(101.0 + number / 100)
    assert len(watch.clock.timers) == 1
    watch.clock.advance_to(101.5)
    assert len(watch.clock.timers) == 1
    watch.clock.advance_to(110.0)
    assert (len(watch.ended), watch.clock.timers) == (100, [])


async def test_the_timer_starts_again_for_what_comes_after_all_were_done() -> None:
    watch = Watch()
    watch.watch(101.0)
    watch.clock.advance_to(102.0)
    again = watch.watch(103.0)
    watch.clock.advance_to(104.0)
    assert watch.ended[1:] == [(103.0, again)]


async def test_the_timer_does_not_look_again_for_what_was_answered() -> None:
    watch = Watch()
    for number in range(100):
        watch.watch(101.0 + number / 100).settle(Receipt("m", number))
    waiting = watch.watch(105.0)
    watch.clock.advance_to(101.0)
    assert [timer.when() for timer in watch.clock.timers] == [105.0]
    watch.clock.advance_to(106.0)
    assert watch.ended == [(105.0, waiting)]


async def test_answered_callbacks_are_let_go_of() -> None:
    watch = Watch()
    bodies = []
    for number in range(3):
        waiting = watch.watch(101.0 + number)
        bodies.append(weakref.ref(waiting.answer))
        if number < 2:
            waiting.settle(Receipt("m", number))
    last, waiting = waiting, watch.watch(105.0)
    watch.deadlines.forget_answered()
    gc.collect()
    assert [body() is None for body in bodies] == [True, True, False]
    watch.clock.advance_to(110.0)
    assert watch.ended == [(103.0, last), (105.0, waiting)]


async def test_nothing_is_held_after_all_have_expired() -> None:
    watch = Watch()
    answers = [weakref.ref(watch.watch(101.0 + number).answer) for number in range(3)]
    watch.clock.advance_to(110.0)
    watch.ended.clear()
    gc.collect()
    assert [answer() for answer in answers] == [None] * 3


@given(steps=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3), st.booleans()), max_size=30))
def test_every_callback_without_an_answer_expires_on_time_and_once(steps: list[tuple[float, float, bool]]) -> None:
    """`steps`: how long after the one before each comes, how long it may wait, whether it is answered at once."""

    async def scenario() -> None:
        watch = Watch()
        expected = []
        for pause, patience, answered in steps:
            watch.clock.advance_to(watch.clock.now + pause)
            waiting = watch.watch(watch.clock.now + patience)
            if answered:
                waiting.settle(Receipt("m", 0))
                watch.deadlines.forget_answered()
            else:
                expected.append((waiting.deadline, id(waiting)))
        watch.clock.advance_to(1000.0)
        assert sorted((now, id(waiting)) for now, waiting in watch.ended) == sorted(expected)

    asyncio.run(scenario())
