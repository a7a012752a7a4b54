"""A person that Vibes told us of only in passing is read from the Person API."""

import orjson
import pytest

from runtime.companies import Companies
from runtime.settings import Settings
from schemas.facts import PersonIdentity, Profile
from tests.integration.person_sync.vibes_stand_in import VibesStandIn
from tests.integration.person_sync.world import SEEN_AT, World, until, worker


async def test_an_unknown_person_is_read_and_mirrored(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add(
        "K1",
        person_key="K1",
        person_id="123",
        external_person_id="ex1",
        mobile_phone={"mdn": "+13125550100", "carrier_code": "104"},
        custom_fields={"first_name": "Steve"},
    )
    due = await world.subscribe_and_publish("K1", "123")

    async with worker(settings, companies):
        row = await world.becomes(due, "synced")

    assert [(request.method, request.person) for request in vibes.requests] == [("GET", "K1")]
    assert (row["synced_version"], row["attempts"], row["last_error"]) == (1, 0, None)
    person = await world.person(due)
    assert (person["external_person_id"], person["mdn_e164"]) == ("ex1", "+13125550100")
    assert orjson.loads(person["custom_fields"]) == {"first_name": "Steve"}


async def test_every_call_is_recorded_with_the_person_it_was_about(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1")
    vibes.refusals = [500]
    due = await world.subscribe_and_publish("K1")

    async with worker(settings, companies):
        await world.becomes(due, "synced")

    calls = [(c["method"], c["route"], c["status"], c["error"], c["attempt"]) for c in await world.calls()]
    assert calls == [
        ("GET", "/persons/{person_key}", 500, "server_error", 1),
        ("GET", "/persons/{person_key}", 200, None, 2),
    ]
    assert {call["person_uid"] for call in await world.calls()} == {due.person_uid}


async def test_a_person_unknown_by_key_is_looked_for_by_external_id(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("external/ex1", person_key="K1", external_person_id="ex1", timezone="US/Central")
    due = await world.subscribe_and_publish("K1", external="ex1")

    async with worker(settings, companies):
        row = await world.becomes(due, "synced")

    assert [request.person for request in vibes.requests] == ["K1", "external/ex1"]
    assert row["last_error"] is None
    assert (await world.person(due))["timezone"] == "US/Central"


async def test_a_person_vibes_does_not_know_is_given_up(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    due = await world.subscribe_and_publish("K1")

    async with worker(settings, companies):
        row = await world.becomes(due, "synced")
        await world.publish(due)
        await world.messages_are(0)

    assert await world.waiting_messages() == 0
    assert row["last_error"] == "person not found"
    assert len(vibes.requests) == 1


async def test_an_answer_that_joins_two_ids_moves_the_sync_to_the_one_person_they_mean(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1", person_id="123")
    await world.crm("ex1", first_name="Steve")
    due = await world.subscribe_and_publish("K1", external="ex1")

    async with worker(settings.model_copy(update={"person_sync_sweep_seconds": 0.1}), companies):
        merged = await until(
            lambda: world.pool.fetchrow("SELECT * FROM person_sync WHERE status = 'synced'"), "the joined person synced"
        )

    assert merged["person_uid"] != due.person_uid
    person = await world.pool.fetchrow("SELECT * FROM persons")
    assert person is not None
    assert (person["person_uid"], person["person_id"], person["person_key"]) == (merged["person_uid"], "123", "K1")


async def test_an_answer_without_a_time_does_not_replace_what_a_callback_told(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1", updated_at="soon", custom_fields={"first_name": "Old"})
    vibes.open.clear()
    due = await world.subscribe_and_publish("K1")

    async with worker(settings, companies):
        await until(lambda: vibes.requests, "the call")
        person = await world.person(due)
        told = Profile(
            person=PersonIdentity(person["person_id"], person["person_key"]),
            at=SEEN_AT,
            event_date=SEEN_AT,
            external_person_id=None,
            mdn=None,
            mdn_e164=None,
            carrier_code=None,
            timezone=None,
            timezone_source=None,
            custom_fields={"first_name": "New"},
            created_at=None,
            updated_at=SEEN_AT,
        )
        await world.tell(told)
        vibes.open.set()
        await world.becomes(due, "synced")

    assert orjson.loads((await world.person(due))["custom_fields"]) == {"first_name": "New"}


@pytest.mark.parametrize("company", ["without-api", "not-configured"])
async def test_a_company_without_credentials_is_skipped(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies, company: str
) -> None:
    due = await world.subscribe_and_publish("K1", company=company)

    async with worker(settings, companies):
        row = await world.becomes(due, "synced")

    assert row["last_error"] == "no API credentials"
    assert vibes.requests == []
