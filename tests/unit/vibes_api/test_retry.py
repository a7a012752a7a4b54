"""When to try again, and after how long. Time is played, nothing waits."""

from __future__ import annotations

import pytest

from vibes_api import RateLimited, Rejected, RetryPolicy, ServerError, TimedOut, VibesError
from vibes_api.answers import retry_after_seconds


class PlayedTime:
    """A clock that only moves when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


async def attempts_made(
    policy: RetryPolicy, error: VibesError, *, repeatable: bool = True, time: PlayedTime, work: float = 0
) -> int:
    made = 0

    async def attempt() -> None:
        nonlocal made
        made += 1
        time.now += work
        raise error

    with pytest.raises(VibesError) as failure:
        await policy.retrying(repeatable=repeatable)(attempt)
    assert failure.value is error
    return made


@pytest.fixture
def time() -> PlayedTime:
    return PlayedTime()


async def test_attempts_are_capped_and_the_last_error_comes_through_as_it_is(time: PlayedTime) -> None:
    policy = RetryPolicy(attempts=3, sleep=time.sleep, clock=lambda: time.now)

    assert await attempts_made(policy, ServerError("R", status=503), time=time) == 3
    assert len(time.waits) == 2


async def test_waits_are_random_below_an_exponential_ceiling(time: PlayedTime) -> None:
    policy = RetryPolicy(
        attempts=200,
        total=1e9,
        first_wait=0.5,
        max_wait=4,
        sleep=time.sleep,
        clock=lambda: time.now,
    )

    await attempts_made(policy, TimedOut("R"), time=time)

    ceilings = [0.5, 1, 2] + [4] * 196
    assert all(0 <= wait <= ceiling for wait, ceiling in zip(time.waits, ceilings, strict=True))
    settled = time.waits[3:]
    assert min(settled) < 1
    assert max(settled) > 3


async def test_no_attempt_begins_after_the_total_time(time: PlayedTime) -> None:
    policy = RetryPolicy(
        attempts=100,
        total=10,
        first_wait=0,
        max_wait=0,
        sleep=time.sleep,
        clock=lambda: time.now,
    )

    assert await attempts_made(policy, TimedOut("R"), time=time, work=4) == 3  # at 0, 4 and 8 seconds


async def test_each_call_has_its_own_total_time(time: PlayedTime) -> None:
    policy = RetryPolicy(attempts=2, total=10, sleep=time.sleep, clock=lambda: time.now)

    assert await attempts_made(policy, TimedOut("R"), time=time, work=5) == 2
    assert await attempts_made(policy, TimedOut("R"), time=time, work=5) == 2


async def test_a_wait_that_would_pass_the_total_time_is_not_begun(time: PlayedTime) -> None:
    policy = RetryPolicy(total=10, max_retry_after=60, sleep=time.sleep, clock=lambda: time.now)

    assert await attempts_made(policy, RateLimited("R", status=429, retry_after=20), time=time) == 1
    assert time.waits == []


async def test_a_retry_after_is_waited_out_but_not_for_ever(time: PlayedTime) -> None:
    policy = RetryPolicy(
        attempts=2, total=100, first_wait=1, max_retry_after=7, sleep=time.sleep, clock=lambda: time.now
    )

    await attempts_made(policy, RateLimited("R", status=429, retry_after=3), time=time)
    await attempts_made(policy, RateLimited("R", status=429, retry_after=3600), time=time)

    assert 3 <= time.waits[0] <= 4
    assert 7 <= time.waits[1] <= 8


@pytest.mark.parametrize(
    ("error", "made"),
    [(ServerError("R", status=500), 1), (TimedOut("R"), 1), (RateLimited("R", never_processed=True), 2)],
)
async def test_what_is_not_repeatable_is_repeated_only_if_vibes_has_not_acted(
    error: VibesError, made: int, time: PlayedTime
) -> None:
    policy = RetryPolicy(attempts=2, sleep=time.sleep, clock=lambda: time.now)

    assert await attempts_made(policy, error, repeatable=False, time=time) == made


async def test_a_refusal_is_final(time: PlayedTime) -> None:
    policy = RetryPolicy(sleep=time.sleep, clock=lambda: time.now)

    assert await attempts_made(policy, Rejected("R", status=418), time=time) == 1


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"total": -1}, {"first_wait": float("nan")}])
def test_a_policy_that_makes_no_sense_is_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"RetryPolicy.{next(iter(wrong))} must"):
        RetryPolicy(**wrong)  # type: ignore[arg-type] # the point of the test


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": " 0.5 "}, 0.5),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "soon"}, None),
        (
            {"Retry-After": "Fri, 21 Nov 2025 10:00:30 GMT", "Date": "Fri, 21 Nov 2025 10:00:00 GMT"},
            30.0,
        ),
        (
            {"Retry-After": "Fri, 21 Nov 2025 09:00:00 GMT", "Date": "Fri, 21 Nov 2025 10:00:00 GMT"},
            0.0,
        ),
        ({"Retry-After": "Fri, 21 Nov 2025 10:00:30 GMT"}, None),
        ({"Retry-After": "Fri, 21 Nov 2025 10:00:30", "Date": "Fri, 21 Nov 2025 10:00:00 GMT"}, None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds
