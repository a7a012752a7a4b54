"""What the CRM wants Vibes to know goes out to the Person API."""

import pytest

from runtime.companies import Companies
from runtime.settings import Settings
from tests.integration.person_sync.vibes_stand_in import VibesStandIn
from tests.integration.person_sync.world import World, worker

MDN = "+13125550100"


async def test_only_fields_that_differ_are_written(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    fields = {"first_name": "Stephen", "gender": {"id": None, "name": "Male", "option_key": "male"}}
    vibes.add("K1", "external/ex1", person_key="K1", external_person_id="ex1", custom_fields=fields)
    await world.crm("ex1", first_name="Steve", gender="male", zip=None)
    due = await world.subscribe_and_publish("K1", external="ex1", mdn=MDN)

    async with worker(settings, companies):
        row = await world.becomes(due, "synced")

    (put,) = vibes.asked("PUT")
    assert (put.person, put.body) == ("external/ex1", {"custom_fields": {"first_name": "Steve"}})
    assert [request.method for request in vibes.requests] == ["GET", "PUT"]
    assert row["last_error"] is None
    assert "Steve" in (await world.person(due))["custom_fields"]


async def test_nothing_is_written_when_vibes_has_it_all(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1", external_person_id="ex1", custom_fields={"first_name": "Steve"})
    await world.crm("ex1", first_name="Steve")
    due = await world.subscribe_and_publish("K1", external="ex1")

    async with worker(settings, companies):
        await world.becomes(due, "synced")

    assert vibes.asked("PUT") == []


async def test_a_person_the_crm_knows_by_number_alone_is_given_their_external_id(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1", mobile_phone={"mdn": MDN})
    await world.crm("ex1", MDN, first_name="Steve")
    due = await world.subscribe_and_publish("K1", mdn=MDN)

    async with worker(settings, companies):
        await world.becomes(due, "synced")

    (put,) = vibes.asked("PUT")
    assert put.person == "K1"
    assert put.body == {"external_person_id": "ex1", "custom_fields": {"first_name": "Steve"}}


async def test_two_crm_records_with_the_number_tell_nothing(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1", mobile_phone={"mdn": MDN})
    await world.crm("ex1", MDN, first_name="Steve")
    await world.crm("ex2", MDN, first_name="Mary")
    due = await world.subscribe_and_publish("K1", mdn=MDN)

    async with worker(settings, companies):
        await world.becomes(due, "synced")

    assert vibes.asked("PUT") == []


async def test_a_person_vibes_lost_meanwhile_is_added_whole(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1", external_person_id="ex1", mobile_phone={"mdn": MDN})
    await world.crm("ex1", MDN, first_name="Steve", zip=None)
    due = await world.subscribe_and_publish("K1", external="ex1", mdn=MDN)

    async with worker(settings, companies):
        row = await world.becomes(due, "synced")

    assert [request.method for request in vibes.requests] == ["GET", "PUT", "POST"]
    assert vibes.requests[-1].body == {
        "external_person_id": "ex1",
        "mobile_phone": {"mdn": MDN},
        "custom_fields": {"first_name": "Steve"},
    }
    assert row["last_error"] is None
    assert await world.pool.fetchval("SELECT count(*) FROM persons WHERE person_key = 'added'") == 1


@pytest.mark.parametrize("status", [409, 422])
async def test_what_vibes_refuses_for_good_is_a_conflict_and_not_tried_again(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies, status: int
) -> None:
    vibes.add("K1", "external/ex1", person_key="K1", external_person_id="ex1")
    vibes.refuse = lambda request: status if request.method == "PUT" else None
    vibes.errors = {"errors": [{"code": "EXTERNALPERSONIDMISMATCH", "message": f"{MDN} belongs to Mary"}]}
    await world.crm("ex1", first_name="Steve")
    due = await world.subscribe_and_publish("K1", external="ex1")

    async with worker(settings.model_copy(update={"person_sync_sweep_seconds": 0.1}), companies):
        row = await world.becomes(due, "conflict")
        await world.make_due(due)
        await world.request(due)
        await world.publish(due, times=3)
        await world.messages_are(0)

    assert await world.waiting_messages() == 0
    assert len(vibes.asked("PUT")) == 1
    assert (row["last_status"], row["synced_version"]) == (status, 1)
    assert "EXTERNALPERSONIDMISMATCH" in row["last_error"]
    assert "5550100" not in row["last_error"]
    assert "Mary" not in row["last_error"]


async def test_a_request_that_comes_while_vibes_refuses_is_not_refused_twice(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", "external/ex1", person_key="K1", external_person_id="ex1")
    await world.crm("ex1", first_name="Steve")
    due = await world.subscribe_and_publish("K1", external="ex1")

    def refuse(request: object) -> int | None:
        return 422 if vibes.asked("PUT") else None

    vibes.refuse = refuse
    vibes.on_request = lambda request: world.request(due) if request.method == "PUT" else None

    async with worker(settings, companies):
        row = await world.becomes(due, "conflict")

    assert len(vibes.asked("PUT")) == 1
    assert (row["desired_version"], row["synced_version"]) == (2, 2)


async def test_a_request_that_comes_while_vibes_refuses_is_tried_when_it_asks_for_something_else(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", "external/ex1", person_key="K1", external_person_id="ex1")
    await world.crm("ex1", first_name="Steve")
    due = await world.subscribe_and_publish("K1", external="ex1")

    async def crm_corrects() -> None:
        await world.crm("ex1", first_name="Stephen")
        await world.request(due)

    vibes.refuse = lambda request: 422 if request.body == {"custom_fields": {"first_name": "Steve"}} else None
    vibes.on_request = lambda _request: crm_corrects() if len(vibes.asked("PUT")) == 1 else None

    async with worker(settings, companies):
        await world.becomes(due, "synced")

    assert [put.body for put in vibes.asked("PUT")] == [
        {"custom_fields": {"first_name": "Steve"}},
        {"custom_fields": {"first_name": "Stephen"}},
    ]


async def test_a_write_whose_answer_shows_something_else_is_not_repeated(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    vibes.add("K1", person_key="K1", external_person_id="ex1")
    vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
    await world.crm("ex1", first_name="Steve")
    due = await world.subscribe_and_publish("K1", external="ex1")
    vibes.ignore_writes = True

    async with worker(settings, companies):
        await world.becomes(due, "synced")

    assert len(vibes.asked("PUT")) == 1
