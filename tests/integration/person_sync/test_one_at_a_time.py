"""Calls for one person are serial and coalesced, whatever becomes of the workers."""

import asyncio
import random
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from runtime.companies import Companies
from runtime.settings import Settings
from tests.integration.person_sync.vibes_stand_in import VibesStandIn
from tests.integration.person_sync.world import COMPANY, World, until, worker, worker_process
from workers.person_sync import outbox
from workers.person_sync.gate import SUBJECT, Gate, Subject
from workers.person_sync.locks import LocksLostError, lock_key, open_locks
from workers.person_sync.outbox import SYNCED
from workers.person_sync.rate import FleetRate


async def test_ten_messages_for_one_person_are_one_call(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1")
    vibes.seconds = 0.1
    due = await world.subscribe("K1")
    await world.publish(due, times=10)

    async with worker(settings, companies):
        await world.becomes(due, "synced")
        await world.messages_are(0)

    assert await world.waiting_messages() == 0
    assert len(vibes.requests) == 1


async def test_two_workers_never_call_for_one_person_at_the_same_time(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    keys = [f"K{number}" for number in range(5)]
    for key in keys:
        vibes.add(key, f"external/{key}", person_key=key, external_person_id=key)
        await world.subscribe(key, external=key)
    vibes.seconds = 0.02
    dues = [await world.change(key, first_name="Steve") for key in keys]
    chance = random.Random(7)

    async with AsyncExitStack() as workers:
        for _ in range(2):
            await workers.enter_async_context(
                worker(settings.model_copy(update={"person_sync_sweep_seconds": 0.1}), companies)
            )
        await world.workers_are(2)
        for round_ in range(20):
            for due, key in zip(dues, keys, strict=True):
                await world.change(key, first_name=f"Steve {round_}")
                await world.publish(due, times=chance.randint(1, 3))
        for due in dues:
            await world.becomes(due, "synced")
        await world.messages_are(0)

    assert vibes.most_under_way == 1
    assert vibes.most_at_once > 1
    for key in keys:
        assert vibes.persons[key]["custom_fields"] == {"first_name": "Steve 19"}
    for due in dues:
        row = await world.row(due)
        assert (row["status"], row["synced_version"]) == ("synced", row["desired_version"])


async def test_what_is_asked_for_during_a_call_is_done_after_it(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", "external/ex1", person_key="K1", external_person_id="ex1")
    await world.subscribe("K1", external="ex1")
    due = await world.change_and_publish("ex1", first_name="Steve")

    async def crm_changes() -> None:
        await world.change("ex1", first_name="Stephen")

    vibes.on_request = lambda _request: crm_changes() if len(vibes.asked("PUT")) == 1 else None

    async with worker(settings.model_copy(update={"person_sync_sweep_seconds": 0.1}), companies):
        row = await world.becomes(due, "synced")

    assert [put.body for put in vibes.asked("PUT")] == [
        {"custom_fields": {"first_name": "Steve"}},
        {"custom_fields": {"first_name": "Stephen"}},
    ]
    assert (row["desired_version"], row["synced_version"]) == (2, 2)


async def test_when_a_worker_is_killed_in_a_call_another_finishes(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies, companies_file: Path
) -> None:
    vibes.add("K1", person_key="K1")
    vibes.open.clear()
    quick = settings.model_copy(update={"person_sync_sweep_seconds": 0.5})
    due = await world.subscribe_and_publish("K1")

    async with worker_process(quick, companies_file) as process:
        await until(lambda: vibes.requests, "the call")
        process.kill()
        await process.wait()
        vibes.open.set()
        async with worker(quick, companies):
            row = await world.becomes(due, "synced")

    assert row["synced_version"] == 1
    assert await world.waiting_messages() == 0


async def test_a_person_whom_another_worker_holds_is_looked_after_again_soon(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1")
    due = await world.subscribe("K1")
    await world.pool.execute("UPDATE person_sync SET next_attempt_at = now() + interval '1 hour'")

    async with (
        worker(settings.model_copy(update={"person_sync_sweep_seconds": 0.2}), companies),
        world.pool.acquire() as holder,
    ):
        await holder.execute("SELECT pg_advisory_lock($1)", lock_key(due))
        await world.publish(due)
        await until(lambda: world.is_due_within(due, 5), "a sync that is due soon")
        assert vibes.requests == []
        await holder.execute("SELECT pg_advisory_unlock($1)", lock_key(due))
        await world.becomes(due, "synced")


async def test_a_worker_that_is_stopped_in_a_call_keeps_its_person(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies, companies_file: Path
) -> None:
    vibes.add("K1", person_key="K1")
    vibes.add("K2", person_key="K2")
    vibes.open.clear()
    due = await world.subscribe_and_publish("K1")

    async with worker_process(settings, companies_file) as process:
        await until(lambda: vibes.requests, "the call")
        process.send_signal(signal.SIGSTOP)
        vibes.open.set()
        async with worker(settings, companies):
            await world.workers_are(2)
            # The broker deals messages out to both in turn; the stopped one's get stuck.
            await world.publish(due, times=4)
            other = await world.subscribe("K2")
            await world.publish(other, times=2)
            await world.becomes(other, "synced")
            await world.messages_are(0)
            assert (await world.row(due))["status"] == "pending"
            assert [request.person for request in vibes.requests] == ["K1", "K2"]
            process.send_signal(signal.SIGCONT)
            await world.becomes(due, "synced")

    assert [request.person for request in vibes.requests] == ["K1", "K2"]


async def test_when_the_locks_are_lost_calls_under_way_are_cut_short_and_done_again(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1")
    vibes.open.clear()
    due = await world.subscribe_and_publish("K1")

    async with worker(settings, companies):
        await until(lambda: vibes.requests, "the call")
        await world.end_lock_sessions()
        await until(lambda: vibes.under_way.total() == 0, "the call cut short")
        assert (await world.row(due))["status"] == "pending"
        vibes.open.set()
        await world.becomes(due, "synced")

    assert len(vibes.requests) == 2
    assert await world.waiting_messages() == 0
    assert [call["error"] for call in await world.calls()] == ["interrupted", None]


async def test_a_worker_that_wakes_up_without_its_locks_makes_no_call_more(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies, companies_file: Path
) -> None:
    vibes.add("K1", person_key="K1")
    vibes.open.clear()
    vibes.refusals = [500]
    due = await world.subscribe_and_publish("K1")

    async with worker_process(settings, companies_file) as process:
        await until(lambda: vibes.requests, "the call")
        process.send_signal(signal.SIGSTOP)
        await world.end_lock_sessions()
        vibes.open.set()
        await until(lambda: vibes.under_way.total() == 0, "the answer")
        async with worker(settings, companies):
            await world.workers_are(2)
            await world.publish(due, times=2)
            await world.becomes(due, "synced")
            process.send_signal(signal.SIGCONT)
            await world.lock_sessions_are(2)

    assert len(vibes.requests) == 2
    assert (await world.row(due))["status"] == "synced"


async def test_no_attempt_of_a_call_is_let_through_once_the_locks_are_lost(world: World, settings: Settings) -> None:
    gate = Gate(COMPANY, FleetRate(world.pool, COMPANY, requests_per_second=100))
    async with open_locks(settings.database_url.get_secret_value()) as locks:
        SUBJECT.set(Subject(uuid4(), locks))
        async with gate:
            pass
        await world.end_lock_sessions()
        with pytest.raises(LocksLostError):
            async with gate:
                pass


async def test_a_late_worker_does_not_overwrite_the_outcome_of_another(world: World) -> None:
    due = await world.subscribe("K1")
    early = await outbox.load(world.pool, due)
    assert early is not None
    await world.request(due)
    later = await outbox.load(world.pool, due)
    assert later is not None

    assert await outbox.finish(world.pool, due, later, SYNCED)
    late = outbox.Failure("too late", 409)
    assert not await outbox.finish(world.pool, due, early, outbox.CONFLICT, late)
    assert not await outbox.postpone(world.pool, due, early, 60, late)

    row = await world.row(due)
    assert (row["status"], row["synced_version"], row["last_error"]) == ("synced", 2, None)


async def test_the_crm_and_callbacks_never_wait_for_a_call(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1")
    vibes.open.clear()
    due = await world.subscribe_and_publish("K1")

    async with worker(settings, companies):
        await until(lambda: vibes.requests, "the call")
        async with asyncio.timeout(5):
            await world.subscribe("K1")
        open_transactions = await world.pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' "
            "AND datname = current_database()"
        )
        vibes.open.set()
        await world.becomes(due, "synced")

    assert open_transactions == 0
