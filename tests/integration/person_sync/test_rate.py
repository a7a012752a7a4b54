"""The whole fleet keeps one rate for a company, and those who wait for nobody go first."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from deploy.local.postgres import LocalPostgres
from runtime.postgres import Pool, create_pool
from schemas.errors import ServiceError
from tests.support.ingest import eventually
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


@asynccontextmanager
async def sending(workers: list[FleetRate], sent: list[float], *, bulk: bool) -> AsyncIterator[None]:
    """As long as the block lasts, each worker has 20 requests waiting."""

    async def requests(rate: FleetRate) -> None:
        while True:
            await rate.wait_for_slot(bulk=bulk)
            sent.append(time.monotonic())

    senders = [asyncio.create_task(requests(rate)) for rate in workers for _ in range(20)]
    try:
        yield
    finally:
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)


async def occupy(pool: Pool, seconds: float) -> None:
    """Have everything leased for so long."""
    await pool.execute("UPDATE api_rates SET next_slot = clock_timestamp() + make_interval(secs => $1)", seconds)


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
    await FleetRate(pools[0], "acme", 0.1).wait_for_slot()
    assert time.monotonic() - started < 9


async def test_companies_have_budgets_of_their_own(pools: list[Pool]) -> None:
    started = time.monotonic()
    await asyncio.gather(*(FleetRate(pools[0], company, 0.1).wait_for_slot() for company in ("acme", "globex")))
    assert time.monotonic() - started < 9


async def test_one_429_slows_every_worker_down_once_and_the_rate_rises_again(pools: list[Pool]) -> None:
    workers = [FleetRate(pool, "acme", 100) for pool in pools]
    await asyncio.gather(*(worker.wait_for_slot() for worker in workers))
    await asyncio.gather(*(worker.lower() for worker in workers))

    async def rate() -> float:
        return float(await pools[0].fetchval("SELECT rate FROM api_rates WHERE company_key = 'acme'"))

    lowered = await rate()
    assert 94 <= lowered <= 96
    # Two seconds later, as the database sees it.
    await pools[0].execute("UPDATE api_rates SET rate_at = rate_at - interval '2 seconds'")
    await workers[0].wait_for_slot()
    assert lowered + 3 < await rate() <= 100


async def test_429s_that_go_on_slow_the_fleet_down_a_lot(pools: list[Pool]) -> None:
    worker = FleetRate(pools[0], "acme", 100)
    await worker.wait_for_slot()
    for _ in range(4):
        await worker.lower()
        await pools[0].execute("UPDATE api_rates SET throttled_at = throttled_at - interval '2 seconds'")
    assert await pools[0].fetchval("SELECT rate FROM api_rates") == pytest.approx(95 * 0.8**3, rel=0.02)


async def test_however_many_429s_come_some_rate_is_left(pools: list[Pool]) -> None:
    worker = FleetRate(pools[0], "acme", 100)
    await worker.wait_for_slot()
    for _ in range(20):
        await worker.lower()
        await pools[0].execute("UPDATE api_rates SET throttled_at = throttled_at - interval '2 seconds'")
    assert await pools[0].fetchval("SELECT rate FROM api_rates") == pytest.approx(10)


async def test_without_postgres_no_request_is_sent(own_postgres: LocalPostgres, own_database_url: str) -> None:
    async with create_pool(own_database_url, "test", min_size=1, max_size=1) as pool:
        worker = FleetRate(pool, "acme", 100)
        await worker.wait_for_slot()
        await occupy(pool, 0.5)
        waiting = asyncio.create_task(worker.wait_for_slot(bulk=True))
        await asyncio.sleep(0)
        await asyncio.to_thread(own_postgres.stop, "immediate")
        with pytest.raises(ServiceError):
            await worker.wait_for_slot()
        with pytest.raises(ServiceError):
            await waiting


class TestMakingReady:
    """What takes time just before a request."""

    async def test_it_is_done_before_the_slot_so_that_it_delays_no_request(self, pools: list[Pool]) -> None:
        worker = FleetRate(pools[0], "acme", 20)
        sent: list[float] = []

        async def make_ready() -> None:
            await asyncio.sleep(0.05)

        async def requests() -> None:
            for _ in range(10):
                await worker.wait_for_slot(make_ready)
                sent.append(time.monotonic())

        await asyncio.gather(*(requests() for _ in range(4)))
        # At first nobody knows how long it takes.
        gaps = [later - earlier for earlier, later in itertools.pairwise(sorted(sent)[5:])]
        assert sum(gaps) / len(gaps) == pytest.approx(0.05, rel=0.05)

    async def test_what_it_raises_is_raised(self, pools: list[Pool]) -> None:
        async def make_ready() -> None:
            raise ConnectionError

        with pytest.raises(ConnectionError):
            await FleetRate(pools[0], "acme", 100).wait_for_slot(make_ready)

    async def test_a_request_that_was_held_up_past_its_slot_takes_another(self, pools: list[Pool]) -> None:
        worker = FleetRate(pools[0], "acme", 100)
        times: list[float] = []

        async def make_ready() -> None:
            times.append(time.monotonic())
            await asyncio.sleep(0.3 if len(times) == 1 else 0)

        await worker.wait_for_slot(make_ready)
        assert len(times) > 1


class TestBulk:
    async def test_alone_bulk_requests_get_the_whole_rate_and_no_more(self, pools: list[Pool]) -> None:
        sent: list[float] = []
        async with sending([FleetRate(pool, "acme", 100) for pool in pools], sent, bulk=True):
            await asyncio.sleep(3)
        assert len(sent) / (max(sent) - min(sent)) >= 95
        assert most_in_a_second(sent) <= 115

    async def test_a_bulk_request_alone_does_not_wait(self, pools: list[Pool]) -> None:
        started = time.monotonic()
        await FleetRate(pools[0], "acme", 1).wait_for_slot(bulk=True)
        assert time.monotonic() - started < 0.9

    async def test_live_requests_hardly_wait_for_any_number_of_bulk_ones(self, pools: list[Pool]) -> None:
        workers = [FleetRate(pool, "acme", 100) for pool in pools]
        sent: list[float] = []
        waits: list[float] = []
        async with sending(workers, sent, bulk=True):
            while len(waits) < 40:
                await asyncio.sleep(0.05)
                began = time.monotonic()
                await workers[len(waits) % 4].wait_for_slot()
                sent.append(time.monotonic())
                waits.append(sent[-1] - began)
        # Leased ahead are 0.15 s at most.
        assert sorted(waits)[int(len(waits) * 0.95)] < 0.25
        assert len(sent) / (max(sent) - min(sent)) >= 90
        assert most_in_a_second(sent) <= 115

    async def test_while_live_requests_want_the_whole_rate_bulk_ones_wait_and_then_go_on(
        self, pools: list[Pool]
    ) -> None:
        workers = [FleetRate(pool, "acme", 100) for pool in pools]
        live: list[float] = []
        bulk: list[float] = []
        async with sending(workers, bulk, bulk=True):
            async with sending(workers, live, bulk=False):
                await eventually(lambda: len(live) >= 225, "the live requests of two seconds and more")
            ended = time.monotonic()
            after = len(bulk) + 25
            await eventually(lambda: len(bulk) >= after, "bulk requests afterwards")
        # At first what was leased already goes out, in the end the slots of the live requests that were cancelled pass.
        meanwhile = [moment for moment in bulk if min(live) + 0.25 < moment < ended]
        assert len(meanwhile) <= 5
        assert most_in_a_second(sorted(live + bulk)) <= 115

    async def test_live_requests_of_another_worker_overtake_bulk_ones_that_wait(self, pools: list[Pool]) -> None:
        worker, other = FleetRate(pools[0], "acme", 20), FleetRate(pools[1], "acme", 20)
        await worker.wait_for_slot()
        await occupy(pools[0], 0.5)
        order: list[str] = []

        async def send_one(rate: FleetRate, kind: str) -> None:
            await rate.wait_for_slot(bulk=kind == "bulk")
            order.append(kind)

        bulk = [asyncio.create_task(send_one(worker, "bulk")) for _ in range(3)]
        await asyncio.sleep(0.1)
        await asyncio.gather(*bulk, *(send_one(other, "live") for _ in range(5)))
        assert order == ["live"] * 5 + ["bulk"] * 3

    async def test_requests_that_gave_up_cost_nobody_a_slot(self, pools: list[Pool]) -> None:
        worker = FleetRate(pools[0], "acme", 10)
        await worker.wait_for_slot()
        await occupy(pools[0], 0.6)
        leased = await pools[0].fetchval("SELECT next_slot FROM api_rates")
        tasks = [asyncio.create_task(worker.wait_for_slot(bulk=True)) for _ in range(50)]
        await asyncio.sleep(0.1)
        for task in tasks[:-1]:
            task.cancel()
        await asyncio.gather(*tasks[:-1], return_exceptions=True)

        await tasks[-1]

        now_leased = await pools[0].fetchval("SELECT next_slot FROM api_rates")
        # One slot of 0.1 s, and whatever time went by unused; not 50.
        assert (now_leased - leased).total_seconds() < 1
