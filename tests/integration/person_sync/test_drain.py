"""A worker that is told to stop finishes what it has begun, gives the rest back, and ends in time."""

import asyncio
import signal
from pathlib import Path

import aiohttp
from aiohttp.test_utils import unused_port

from runtime.companies import Companies
from runtime.settings import Settings
from tests.integration.person_sync.vibes_stand_in import VibesStandIn
from tests.integration.person_sync.world import World, until, worker, worker_process


async def test_a_call_under_way_is_finished_and_what_was_not_begun_goes_back(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.open.clear()
    for number in range(5):
        vibes.add(f"K{number}", person_key=f"K{number}")
    dues = [await world.subscribe_and_publish(f"K{number}") for number in range(5)]
    one_by_one = settings.model_copy(update={"person_sync_concurrency": 2})

    async with worker(one_by_one, companies) as stop:
        await until(lambda: len(vibes.requests) == 2, "two calls")
        stop.set()
        vibes.open.set()

    begun = [await world.row(due) for due in dues[:2]]
    assert [row["status"] for row in begun] == ["synced", "synced"]
    assert len(vibes.requests) == 2
    assert await world.waiting_messages() == 3
    assert len(await world.calls()) == 2


async def test_a_call_that_does_not_end_is_cut_short_in_time(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1")
    vibes.open.clear()
    due = await world.subscribe_and_publish("K1")
    loop = asyncio.get_running_loop()

    async with worker(settings.model_copy(update={"drain_seconds": 0.5}), companies) as stop:
        await until(lambda: vibes.requests, "the call")
        stop.set()
        started = loop.time()

    assert loop.time() - started < 5
    assert (await world.row(due))["status"] == "pending"
    await world.messages_are(1)


async def readiness(admin: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{admin}/readyz") as response:
        return await response.text()


async def test_sigterm_drains_a_process(
    world: World, vibes: VibesStandIn, settings: Settings, companies_file: Path
) -> None:
    vibes.add("K1", person_key="K1")
    vibes.open.clear()
    due = await world.subscribe_and_publish("K1")
    with_port = settings.model_copy(update={"person_sync_admin_port": unused_port()})
    admin = f"http://127.0.0.1:{with_port.person_sync_admin_port}"

    async def drains() -> bool:
        return await readiness(admin) == "draining\n"

    async with worker_process(with_port, companies_file) as process:
        await until(lambda: vibes.requests, "the call")
        process.send_signal(signal.SIGTERM)
        await until(drains, "the drain")
        vibes.open.set()
        assert await process.wait() == 0

    assert (await world.row(due))["status"] == "synced"
    assert len(await world.calls()) == 1


async def test_a_draining_worker_is_not_ready_and_shows_what_it_did(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1")
    vibes.add("K2", person_key="K2")
    with_port = settings.model_copy(update={"person_sync_admin_port": unused_port()})
    admin = f"http://127.0.0.1:{with_port.person_sync_admin_port}"
    first = await world.subscribe_and_publish("K1")

    async with aiohttp.ClientSession() as session, worker(with_port, companies) as stop:
        await world.becomes(first, "synced")
        async with session.get(f"{admin}/readyz") as response:
            assert response.status == 200
        vibes.open.clear()
        await world.subscribe_and_publish("K2")
        await until(lambda: len(vibes.requests) == 2, "the call")
        stop.set()
        async with session.get(f"{admin}/readyz") as response:
            assert (response.status, await response.text()) == (503, "draining\n")
        async with session.get(f"{admin}/metrics") as response:
            shown = await response.text()
        vibes.open.set()

    assert 'vibes_person_sync_outcomes_total{company_key="acme",outcome="synced"}' in shown
    assert 'route="GET /persons/{person_key}",status="200"' in shown
