"""Slots are handed out in order, and mean the same moment to every worker."""

import asyncio

import pytest

from schemas.errors import ServiceError
from workers.person_sync.rate import latest_seconds
from workers.person_sync.slots import DatabaseClock, Lease, Line


class Leases:
    """Grants what it is told to, and remembers what it was asked for."""

    def __init__(self, *answers: Lease | float | ServiceError) -> None:
        self.asked: list[int] = []
        self._answers = list(answers)

    async def __call__(self, wanted: int) -> Lease | float:
        self.asked.append(wanted)
        await asyncio.sleep(0)
        answer = self._answers.pop(0)
        if isinstance(answer, ServiceError):
            raise answer
        return answer


async def wait(line: Line, requests: int) -> list[asyncio.Task[float]]:
    tasks = [asyncio.create_task(line.next_slot()) for _ in range(requests)]
    await asyncio.sleep(0)
    return tasks


async def test_those_who_wait_share_a_lease_first_come_first_served() -> None:
    leases = Leases(Lease(3, 10.0, 0.5))
    assert await asyncio.gather(*await wait(Line(leases), 3)) == [10.0, 10.5, 11.0]
    assert leases.asked == [3]


async def test_who_got_nothing_shares_the_next_lease() -> None:
    leases = Leases(Lease(2, 10.0, 1.0), Lease(1, 20.0, 1.0))
    assert await asyncio.gather(*await wait(Line(leases), 3)) == [10.0, 11.0, 20.0]
    assert leases.asked == [3, 1]


async def test_a_line_that_is_told_to_ask_again_does() -> None:
    leases = Leases(0.01, Lease(1, 10.0, 1.0))
    assert await asyncio.gather(*await wait(Line(leases), 1)) == [10.0]
    assert leases.asked == [1, 1]


async def test_who_gives_up_while_a_lease_is_asked_for_leaves_the_slot_to_the_next() -> None:
    tasks = await wait(Line(Leases(Lease(2, 10.0, 1.0))), 3)
    tasks[0].cancel()
    assert await asyncio.gather(*tasks[1:]) == [10.0, 11.0]


async def test_nothing_is_asked_for_once_everybody_gave_up() -> None:
    leases = Leases(0.01)
    tasks = await wait(Line(leases), 5)
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.sleep(0.03)
    assert leases.asked == [5]


async def test_trouble_reaches_everybody_who_waits_and_nobody_who_comes_later() -> None:
    line = Line(Leases(ServiceError("away"), Lease(1, 10.0, 1.0)))
    results = await asyncio.gather(*await wait(line, 3), return_exceptions=True)
    assert [type(result) for result in results] == [ServiceError] * 3
    assert await line.next_slot() == 10.0


def test_a_slow_answer_does_not_make_a_slot_later() -> None:
    here = iter([100.002, 101.090, 102.004])
    clock = DatabaseClock(lambda: next(here))
    slots = []
    for told_at in (5000.0, 5001.0, 5002.0):
        clock.show(told_at)
        slots.append(clock.here(told_at + 0.5))
    assert slots == pytest.approx([100.502, 101.502, 102.502])


def test_one_answer_is_not_enough_to_know_the_clock() -> None:
    clock = DatabaseClock(lambda: 100.0)
    clock.show(5000.0)
    assert not clock.is_known
    for _ in range(10):
        clock.show(5000.0)
    assert clock.is_known


@pytest.mark.parametrize(
    ("requests_per_second", "seconds"), [(1, 0.1), (80, 0.1), (95, 0.0421), (97, 0.0206), (100, 0.02), (500, 0.02)]
)
def test_the_nearer_the_rate_is_to_the_limit_the_less_late_a_request_may_be(
    requests_per_second: float, seconds: float
) -> None:
    assert latest_seconds(requests_per_second) == pytest.approx(seconds, abs=0.0001)
