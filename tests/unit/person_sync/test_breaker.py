"""A circuit breaker opens after failures in a row, rests, and lets one attempt find out whether it may close."""

from collections.abc import Iterable

import pytest

from workers.person_sync.breaker import PROBE_SECONDS, Breaker


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, cool_down=5, longest=18, clock=clock)


def fail(breaker: Breaker, times: int = 3) -> list[bool]:
    return [breaker.failed(breaker.admit()) for _ in range(times)]


def cool_downs(breaker: Breaker, clock: Clock, probes: int) -> Iterable[float]:
    """Let so many probes fail; yield how long each opens the breaker."""
    for _ in range(probes):
        clock.now += breaker.seconds_left
        breaker.failed(breaker.admit())
        yield breaker.seconds_left


def test_closed_it_admits_any_number_at_once(breaker: Breaker) -> None:
    assert len({breaker.admit() for _ in range(100)}) == 1
    assert (breaker.state, breaker.seconds_left) == ("closed", 0)


def test_it_opens_with_the_last_of_so_many_failures_in_a_row(breaker: Breaker) -> None:
    assert fail(breaker) == [False, False, True]
    assert (breaker.state, breaker.seconds_left) == ("open", 5)


def test_a_success_in_between_begins_the_count_again(breaker: Breaker) -> None:
    fail(breaker, 2)
    assert not breaker.succeeded(breaker.admit())
    assert fail(breaker) == [False, False, True]


def test_an_attempt_that_tells_nothing_does_not_touch_the_count(breaker: Breaker) -> None:
    fail(breaker, 2)
    breaker.abandoned(breaker.admit())
    assert fail(breaker, 1) == [True]


def test_open_it_admits_nobody_until_the_cool_down_is_over(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 4.5
    assert breaker.seconds_left == 0.5
    with pytest.raises(RuntimeError, match="seconds_left"):
        breaker.admit()
    clock.now += 0.5
    assert breaker.seconds_left == 0


def test_half_open_it_admits_exactly_one(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 5
    breaker.admit()
    assert (breaker.state, breaker.seconds_left) == ("half-open", PROBE_SECONDS)
    clock.now += 1000
    with pytest.raises(RuntimeError):
        breaker.admit()


def test_a_probe_that_succeeds_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 5
    assert breaker.succeeded(breaker.admit())
    assert (breaker.state, breaker.seconds_left) == ("closed", 0)
    assert fail(breaker) == [False, False, True]


def test_each_probe_that_fails_doubles_the_cool_down_up_to_a_bound(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    assert list(cool_downs(breaker, clock, probes=4)) == [10, 18, 18, 18]


def test_once_closed_the_next_cool_down_is_short_again(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    list(cool_downs(breaker, clock, probes=2))
    clock.now += breaker.seconds_left
    breaker.succeeded(breaker.admit())
    fail(breaker)
    assert breaker.seconds_left == 5


def test_a_probe_that_tells_nothing_makes_room_for_another(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 5
    breaker.abandoned(breaker.admit())
    assert (breaker.state, breaker.seconds_left) == ("open", 0)
    assert breaker.succeeded(breaker.admit())


def test_attempts_begun_before_it_opened_change_nothing_when_they_end(breaker: Breaker, clock: Clock) -> None:
    late = breaker.admit()
    fail(breaker)
    assert not breaker.failed(late)
    assert not breaker.succeeded(late)
    assert breaker.seconds_left == 5

    clock.now += 5
    probe = breaker.admit()
    assert not breaker.succeeded(late)
    breaker.abandoned(late)
    assert breaker.state == "half-open"
    assert breaker.succeeded(probe)
