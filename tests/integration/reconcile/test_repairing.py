"""What lost callbacks left behind is found, repaired, and stays right when they come after all."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from schemas.facts import OptIn, PersonIdentity, Stay
from tests.integration.reconcile.world import LIST, World
from tests.integration.simulator.world import PERSONS
from tests.support.ingest import eventually
from workers.erasure.identifiers import PERSON_KEY, tombstone
from workers.mirror import Mirror, write_mirror
from workers.reconcile.drift import Kind
from workers.reconcile.targets import Options

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def bodies_of(bodies: list[bytes], *callback_types: str) -> list[bytes]:
    def type_of(body: bytes) -> str:
        told = orjson.loads(body)
        return str(told.get("callback_type") or told["event_type"])

    return [body for body in bodies if type_of(body) in callback_types]


async def tell(world: World, *facts: Stay) -> None:
    async def work(mirror: Mirror) -> None:
        await mirror.store("acme", facts)

    async with world.pool.acquire() as connection:
        await write_mirror(connection, ["acme"], work)


async def test_a_story_with_a_third_of_its_callbacks_lost_is_repaired_until_nothing_differs(world: World) -> None:
    # Given a busy time at Vibes, during which our endpoint answered every third callback with a 404
    lost: list[int] = []

    def behave(number: int) -> int:
        if number % 3:
            return 202
        lost.append(number)
        return 404

    world.receiver.behave = behave
    figures = await world.vibes.run(callbacks=900, persons=60, shuffle_window=30, seed=11)
    assert figures["state"] == "finished"
    bodies = list(world.receiver.bodies)
    missed = [bodies[number - 1] for number in lost]
    await world.apply([body for number, body in enumerate(bodies, 1) if number % 3])

    # When the mirror is reconciled
    first = await world.reconcile()

    # Then the persons it knows are as at Vibes, with all their stays
    assert first.finished
    assert first.tally.persons == len(await world.known_persons())
    assert {Kind.PROFILE_DIFFERS, Kind.STAY_MISSING, Kind.OPT_OUT_MISSING} <= first.tally.found.keys()
    assert first.tally.remaining == first.tally.failed == 0
    await agrees(world)
    # And a second run finds nothing
    second = await world.reconcile()
    assert second.tally.found.total() == 0

    # When the lost callbacks come after all
    before = await world.subscribed()
    random.Random(5).shuffle(missed)
    await world.apply(missed)
    # Then nobody known is any different
    await agrees(world)
    third = await world.reconcile()
    assert third.tally.found.keys() <= {Kind.PROFILE_MISSING, Kind.PROFILE_DIFFERS, Kind.STAY_MISSING}
    assert await world.subscribed() >= before
    assert (await world.reconcile()).tally.found.total() == 0


async def agrees(world: World) -> None:
    """Everybody in the mirror is as at Vibes."""
    known = await world.known_persons()
    (profiles, stays), (their_profiles, their_stays) = await world.here(), await world.at_vibes()
    for person_id, (external, mdn, custom_fields) in profiles.items():
        theirs = their_profiles[person_id]
        assert (external, mdn) == theirs[:2]
        assert not_empty(json.loads(custom_fields)) == not_empty(theirs[2])
    ended_without_start = {key for key in stays if key[2].year == 1}
    assert {key: stays[key] for key in stays.keys() - ended_without_start} == {
        key: end for key, end in their_stays.items() if key[0] in known
    }


def not_empty(custom_fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in custom_fields.items() if value not in (None, [], "")}


async def test_the_callbacks_become_the_proof_of_what_was_repaired(world: World) -> None:
    person = await world.sign_up(1)
    await world.leave(person)
    bodies = await world.arrived(5)
    await world.apply(bodies_of(bodies, "person_added"))

    run = await world.reconcile()
    (repaired,) = await world.pool.fetch("SELECT * FROM subscriptions")
    assert repaired["opt_in_event_id"] == repaired["opt_out_event_id"] == f"reconcile:{run.run_id}"
    assert repaired["opt_out_reason"] == "api_opt_out"

    await world.apply(bodies_of(bodies, "subscription_added", "subscription_removed"))
    (proven,) = await world.pool.fetch("SELECT * FROM subscriptions")
    assert not proven["opt_in_event_id"].startswith("reconcile:")
    assert not proven["opt_out_event_id"].startswith("reconcile:")
    dates = ("opt_in_date", "opt_out_date", "opt_out_reason")
    assert [proven[name] for name in dates] == [repaired[name] for name in dates]


async def test_a_lost_opt_out_no_longer_counts_as_subscribed(world: World) -> None:
    person = await world.sign_up(1)
    await world.apply(await world.arrived(4))
    assert await world.subscribed() == 1
    await world.leave(person)
    await world.reconcile()
    assert await world.found() == [Kind.OPT_OUT_MISSING]
    assert await world.subscribed() == 0


async def test_a_subscription_vibes_does_not_have_is_ended_and_a_new_one_counts(world: World) -> None:
    person = await world.sign_up(1)
    await world.leave(person)
    await world.apply(await world.arrived(5))
    whom = PersonIdentity(None, person["person_key"])
    await tell(world, Stay(whom, LIST, LONG_AGO + timedelta(days=1), OptIn(LONG_AGO, "told")))
    assert await world.subscribed() == 0, "an opt-out that came later ends it"
    await tell(world, Stay(whom, "L9", LONG_AGO, OptIn(LONG_AGO, "told")))
    assert await world.subscribed() == 1

    await world.reconcile()
    assert await world.found() == [Kind.STAY_ABSENT]
    assert await world.subscribed() == 0
    assert (await world.reconcile()).tally.found.total() == 0

    await tell(world, Stay(whom, "L9", datetime.now(UTC), OptIn(datetime.now(UTC), "again")))
    assert await world.subscribed() == 1


async def test_a_person_vibes_does_not_know_is_reported_and_their_stays_end_when_that_is_asked_for(
    world: World,
) -> None:
    await tell(world, Stay(PersonIdentity("nobody", None), LIST, LONG_AGO, OptIn(LONG_AGO, "told")))
    run = await world.reconcile()
    assert await world.found() == [Kind.PERSON_GONE, Kind.STAY_ABSENT]
    assert run.tally.remaining == 2
    assert await world.subscribed() == 1

    await world.reconcile(Options(close_gone=True))
    assert await world.subscribed() == 0
    await world.reconcile()
    assert await world.found() == [Kind.PERSON_GONE]


async def test_what_a_callback_tells_while_vibes_is_asked_is_no_drift(world: World) -> None:
    await world.sign_up(1)
    bodies = await world.arrived(4)
    await world.apply(bodies_of(bodies, "subscription_added"))
    before = await world.asked()
    await world.faults(latency_rate=1, latency_seconds=0.5)
    running = asyncio.create_task(world.reconcile())

    async def is_half_read() -> bool:
        return await world.asked() > before

    await eventually(is_half_read, "the profile is read, the stays are not")
    await world.apply(bodies_of(bodies, "person_added"))
    assert (await running).tally.found.total() == 0


async def test_a_dry_run_reports_the_same_and_changes_nothing(world: World) -> None:
    person = await world.sign_up(1)
    await world.leave(person)
    await world.apply(bodies_of(await world.arrived(5), "subscription_added"))
    before = await world.here()
    run = await world.reconcile(Options(dry_run=True))
    assert await world.here() == before
    assert (run.tally.remaining, run.tally.repaired.total()) == (2, 0)
    found = await world.found()
    await world.reconcile()
    assert await world.found() == found == [Kind.OPT_OUT_MISSING, Kind.PROFILE_MISSING]


async def test_what_is_asked_for_narrows_who_is_read(world: World) -> None:
    stayed, left = await world.sign_up(1), await world.sign_up(2)
    await world.leave(left)
    await world.apply(await world.arrived(9))
    everybody = await world.reconcile()
    assert (everybody.tally.persons, everybody.tally.found.total()) == (2, 0)
    assert (await world.reconcile(Options(list_id=LIST))).tally.persons == 2
    assert (await world.reconcile(Options(list_id="another"))).tally.persons == 0
    assert (await world.reconcile(Options(subscribed_only=True))).tally.persons == 1
    assert (await world.reconcile(Options(subscribed_only=True, list_id=LIST))).tally.persons == 1
    assert (await world.reconcile(Options(not_seen_since_seconds=3600))).tally.persons == 0
    await world.pool.execute("UPDATE persons SET profile_event_date = $1", LONG_AGO)
    assert (await world.reconcile(Options(not_seen_since_seconds=3600.5))).tally.persons == 2
    assert stayed["person_key"]


async def test_what_the_crm_wants_and_vibes_lacks_is_requested_behind_live_changes(world: World) -> None:
    await world.sign_up(1)
    await world.apply(await world.arrived(4))
    await crm(world, "ex1", first_name="Stephen")
    run = await world.reconcile()
    assert await world.found() == [Kind.CRM_DIFFERS]
    assert run.tally.remaining == 0
    (sync,) = await world.pool.fetch("SELECT * FROM person_sync WHERE external_person_id IS NOT NULL")
    assert (sync["external_person_id"], sync["bulk"], sync["status"]) == ("ex1", True, "postponed")
    # A write that is under way, or a conflict, is not asked for again.
    assert (await world.reconcile()).tally.found.total() == 0
    await world.pool.execute("UPDATE person_sync SET status = 'conflict'")
    assert (await world.reconcile()).tally.remaining == 1
    assert await world.pool.fetchval("SELECT status FROM person_sync WHERE external_person_id = 'ex1'") == "conflict"


async def test_records_of_nobody_known_are_looked_up_by_their_external_ids(world: World) -> None:
    # Given somebody none of whose callbacks arrived, and a record of nobody at all
    await world.sign_up(1)
    await world.arrived(4)
    await crm(world, "ex1", first_name="Steve")
    await crm(world, "ex2", first_name="Stephen")
    assert (await world.reconcile()).tally.persons == 0

    run = await world.reconcile(Options(crm=True))
    assert await world.found() == [Kind.CRM_UNKNOWN, Kind.PROFILE_MISSING, Kind.STAY_MISSING]
    assert run.tally.remaining == 0
    assert await world.subscribed() == 1
    requested = await world.pool.fetch("SELECT external_person_id FROM person_sync")
    assert [row["external_person_id"] for row in requested] == ["ex2"]


async def test_a_person_who_was_erased_is_not_brought_back(world: World) -> None:
    person = await world.sign_up(1)
    await world.pool.execute(
        "INSERT INTO erased_identities VALUES ('acme', $1, $2, gen_random_uuid())",
        tombstone("acme", (PERSON_KEY, person["person_key"])),
        datetime.now(UTC) + timedelta(minutes=1),
    )
    for options in ((), ("--dry-run",)):
        code, out, err = await world.command("--person-key", person["person_key"], "--json", *options)
        assert code == 0, err
        assert all(each["found"] == 0 for each in json.loads(out)["drift"].values())
    assert await world.known_persons() == set()


async def crm(world: World, external: str, **custom_fields: str) -> None:
    await world.pool.execute(
        "INSERT INTO crm_persons (company_key, external_person_id, custom_fields, updated_at) "
        "VALUES ('acme', $1, $2, now())",
        external,
        json.dumps(custom_fields),
    )


async def test_an_external_id_of_any_form_is_looked_up(world: World) -> None:
    external = "EXT/00 12#é%"
    assert (await world.vibes.call("POST", PERSONS, {"external_person_id": external}))[0] == 201
    await crm(world, external)
    await world.reconcile(Options(crm=True))
    assert await world.found() == [Kind.PROFILE_MISSING]
