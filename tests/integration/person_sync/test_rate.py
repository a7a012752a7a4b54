"""The whole fleet keeps one rate for a company."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from deploy.local.postgres import LocalPostgres
from runtime.postgres import Pool, create_pool
from schemas.errors import ServiceError
from workers.person_sync.rate import FleetRate


@pytest.fixture
async def pools(database_url: str) -> AsyncIterator[list[Pool]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(create_pool(database_url, "test", min_size=1, max_size=2)) for _ in range(4)
        ]


async def send(rate: FleetRate, sent: list[float], requests: int) -> None:
    """Send that many requests, all waiting at once."""

    async def one() -> None:
        await rate.wait_for_slot()
        sent.append(time.monotonic())

    await asyncio.gather(*(one() for _ in range(requests)))


def most_in_a_second(sent: list[float]) -> int:
    return max(sum(begin <= moment < begin + 1 for moment in sent) for begin in sent)


async def test_four_workers_together_keep_the_rate_and_use_it_up(pools: list[Pool]) -> None:
    sent: list[float] = []
    await asyncio.gather(*(send(FleetRate(pool, "acme", 80), sent, 40) for pool in pools))
    # 160 requests are 159 gaps of 1/80 s. Room is left for the jitter of a busy machine, not for a second budget.
    assert max(sent) - min(sent) >= 1.8
    assert most_in_a_second(sent) <= 95


async def test_a_worker_alone_with_one_request_does_not_wait(pools: list[Pool]) -> None:
    started = time.monotonic()
    await FleetRate(pools[0], "acme", 1).wait_for_slot()
    assert time.monotonic() - started < 0.9


async def test_companies_have_budgets_of_their_own(pools: list[Pool]) -> None:
    started = time.monotonic()
    await asyncio.gather(*(FleetRate(pools[0], company, 1).wait_for_slot() for company in ("acme", "globex")))
    assert time.monotonic() - started < 0.9


async def test_one_429_slows_every_worker_down_once_and_the_rate_rises_again(pools: list[Pool]) -> None:
    workers = [FleetRate(pool, "acme", 100) for pool in pools]
    await asyncio.gather(*(worker.wait_for_slot() for worker in workers))
    await asyncio.gather(*(worker.lower() for worker in workers))

    async def rate() -> float:
        return float(await pools[0].fetchval("SELECT rate FROM api_rates WHERE company_key = 'acme'"))

    lowered = await rate()
    assert 65 <= lowered <= 75
    # Ten seconds later, as the database sees it.
    await pools[0].execute("UPDATE api_rates SET rate_at = rate_at - interval '10 seconds'")
    await workers[0].wait_for_slot()
    assert lowered + 15 <= await rate() <= 100


async def test_however_many_429s_come_some_rate_is_left(pools: list[Pool]) -> None:
    worker = FleetRate(pools[0], "acme", 100)
    await worker.wait_for_slot()
    for _ in range(12):
        await worker.lower()
        await pools[0].execute("UPDATE api_rates SET throttled_at = throttled_at - interval '2 seconds'")
    assert await pools[0].fetchval("SELECT rate FROM api_rates") == pytest.approx(10)


async def test_without_postgres_no_request_is_sent(own_postgres: LocalPostgres, own_database_url: str) -> None:
    async with create_pool(own_database_url, "test", min_size=1, max_size=1) as pool:
        worker = FleetRate(pool, "acme", 100)
        await worker.wait_for_slot()
        await asyncio.to_thread(own_postgres.stop, "immediate")
        with pytest.raises(ServiceError):
            await worker.wait_for_slot()
