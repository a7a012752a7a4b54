"""An erasure that is cut short, or cannot be done now, is carried on; nobody is erased by half."""

import asyncio
import json
import signal

import pytest

from schemas.person_due import PersonDue
from tests.integration.erasure.world import ANN, BEN, LATER, World, bodies_about, stamp, subscribed
from tests.integration.person_sync.vibes_stand_in import Request
from tests.integration.person_sync.world import until
from tests.support.applying import apply_bodies
from workers.mirror.identity import uid_of
from workers.person_sync.locks import open_locks

ERASE = ("persons", "erase", "--external-id", ANN["external_person_id"], "--yes", "--json")


async def killed_when(world: World, *, blocked_on: str) -> None:
    """Run an erasure that comes to wait for a row somebody holds, and kill it there."""
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.fetch(f"SELECT 1 FROM {blocked_on} FOR UPDATE")  # noqa: S608 - a name of ours
        async with world.command(*ERASE) as process:
            await world.waits_for_a_lock()
            process.send_signal(signal.SIGKILL)
            await process.wait()
    await world.commands_are_gone()


@pytest.mark.parametrize("number", range(1, 6))
async def test_killed_at_vibes_then_run_again(world: World, number: int) -> None:
    """The five requests: looked for, read by both its ids, nullified, looked at."""
    await world.settle(ANN, BEN)
    reached = asyncio.Event()
    proceed = asyncio.Event()

    async def wait(request: Request) -> None:
        if len(world.vibes.requests) == number:
            reached.set()
            await proceed.wait()

    world.vibes.on_request = wait
    async with world.command(*ERASE) as process:
        async with asyncio.timeout(20):
            await reached.wait()
        process.send_signal(signal.SIGKILL)
        await process.wait()
    proceed.set()
    await world.commands_are_gone()
    assert await world.traces(ANN["name"]), "nothing is erased here before it is at Vibes"

    erasure = await world.erase("--external-id", ANN["external_person_id"])
    assert (erasure["status"], erasure["vibes_outcome"]) == ("done", "nullified")
    assert await world.pool.fetchval("SELECT count(*) FROM erasures") == 1
    assert await world.traces_of(ANN) == []


@pytest.mark.parametrize(
    ("table", "status"),
    [
        ("subscriptions", "requested"),
        ("callback_events", "nullified"),
        ("dead_letters", "nullified"),
        ("person_api_calls", "nullified"),
    ],
)
async def test_killed_at_any_step_then_resumed(world: World, table: str, status: str) -> None:
    await world.settle(ANN, BEN)
    before = await world.traces_of(BEN)
    await killed_when(world, blocked_on=table)
    assert await world.status() == status
    erasure_id = await world.pool.fetchval("SELECT erasure_id FROM erasures")

    # Late deliveries meanwhile change nothing.
    await apply_bodies(world.pool, bodies_about(ANN)[:3])
    erasure = await world.erase("--resume", str(erasure_id))

    assert erasure["status"] == "done"
    assert erasure["counts"]["persons"] == 1
    assert await world.traces_of(ANN) == []
    assert await world.traces_of(BEN) == before


async def test_somebody_who_opts_in_between_the_kill_and_the_resumption_stays(world: World) -> None:
    await world.settle(ANN)
    await killed_when(world, blocked_on="dead_letters")
    back = {**ANN, "person_id": "90009999", "person_key": "a-new-key-for-ann"}
    await world.tell({**subscribed(back, "n1", opt_in_date=stamp(LATER)), "event_date": stamp(LATER)})
    await world.erase("--external-id", ANN["external_person_id"])
    assert await world.pool.fetchval("SELECT mdn FROM persons") == ANN["mdn"]
    assert await world.count("current_subscriptions") == 1


@pytest.mark.parametrize(
    ("refusal", "words"), [(500, "is not available"), (422, "was answered 422"), (401, "denies access")]
)
async def test_what_vibes_does_not_take_leaves_everything_here_and_the_reason(
    world: World, refusal: int, words: str
) -> None:
    await world.settle(ANN)
    before = set(await world.traces_of(ANN))
    world.vibes.refuse = lambda request: refusal if request.method == "PUT" else None
    told = await world.erase("--external-id", ANN["external_person_id"], exit_code=1)
    assert words in told
    assert "--resume" in told
    assert before <= set(await world.traces_of(ANN))
    (row,) = json.loads(await world.run("persons", "erasures", "--json"))
    assert row["status"] == "requested"
    assert str(refusal) in row["last_error"]

    world.vibes.refuse = lambda _request: None
    assert (await world.erase("--resume", row["erasure_id"]))["status"] == "done"
    assert await world.traces_of(ANN) == []


async def test_vibes_that_keeps_what_it_was_to_remove_is_found_out(world: World) -> None:
    await world.settle(ANN)
    world.vibes.ignore_writes = True
    told = await world.erase("--external-id", ANN["external_person_id"], exit_code=1)
    assert "still holds carrier_code, external_person_id, first_name, mdn, zip" in told
    assert await world.status() == "requested"


async def test_somebody_vibes_does_not_know_is_erased_here(world: World) -> None:
    await world.settle(ANN)
    world.vibes.persons.clear()
    erasure = await world.erase("--external-id", ANN["external_person_id"])
    assert erasure["vibes_outcome"] == "not_found"
    assert await world.traces_of(ANN) == []


async def test_a_person_worker_that_is_at_the_person_is_waited_for(world: World) -> None:
    await world.settle(ANN)
    due = PersonDue("acme", uid_of("acme", ("person_id", ANN["person_id"])))
    async with open_locks(world.database_url) as locks, world.command(*ERASE) as process:
        async with locks.hold(due) as held:
            assert held
            await until(lambda: world.count("erasures"), "the request")
            # when it has asked for the lock in vain, it asks again, and changes nothing
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await process.wait()
            assert world.vibes.asked("PUT") == []
            assert await world.count("persons") == 1
        assert await process.wait() == 0
    assert await world.traces_of(ANN) == []


async def test_an_unknown_erasure_cannot_be_resumed(world: World) -> None:
    told = await world.erase("--resume", "00000000-0000-0000-0000-000000000001", exit_code=1)
    assert "`vibes-pipeline persons erasures` lists them" in told
