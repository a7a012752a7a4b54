"""What the CRM wants Vibes to know goes out to the Person API."""

from typing import Any

import pytest

from runtime.companies import Companies
from runtime.settings import Settings
from schemas.facts import PersonIdentity, Profile
from tests.integration.person_sync.vibes_stand_in import VibesStandIn
from tests.integration.person_sync.world import COMPANY, SEEN_AT, World, until, worker

MDN = "+13125550100"


@pytest.fixture
def swept(settings: Settings) -> Settings:
    """A worker that finds what is due by itself."""
    return settings.model_copy(update={"person_sync_sweep_seconds": 0.1})


async def known(world: World, person_key: str, external: str | None, mdn: str | None = None, **fields: Any) -> None:
    """Have a person in the mirror whose whole profile Vibes told."""
    await world.tell(
        Profile(
            person=PersonIdentity(None, person_key),
            at=SEEN_AT,
            event_date=SEEN_AT,
            external_person_id=external,
            mdn=mdn,
            mdn_e164=mdn,
            carrier_code=None,
            timezone=None,
            timezone_source=None,
            custom_fields=fields,
            created_at=None,
            updated_at=SEEN_AT,
        )
    )


async def bound_to(world: World, external: str) -> str | None:
    """Whom the record was written to."""
    key: str | None = await world.pool.fetchval(
        "SELECT person_key FROM crm_persons WHERE external_person_id = $1", external
    )
    return key


class TestAChangeOfAPersonWeKnow:
    async def test_only_fields_that_differ_are_written(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        gender = {"id": None, "name": "Male", "option_key": "male"}
        vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
        await known(world, "K1", "ex1", first_name="Stephen", gender=gender)
        due = await world.change_and_publish("ex1", first_name="Steve", gender="male", zip=None)

        async with worker(settings, companies):
            row = await world.becomes(due, "synced")

        (put,) = vibes.requests
        assert (put.method, put.person) == ("PUT", "external/ex1")
        assert put.body == {"custom_fields": {"first_name": "Steve"}}
        assert row["last_error"] is None
        assert await bound_to(world, "ex1") == "K1"
        assert await world.pool.fetchval("SELECT custom_fields->>'first_name' FROM persons") == "Steve"

    async def test_nothing_is_written_when_vibes_has_it_all(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        await known(world, "K1", "ex1", first_name="Steve")
        due = await world.change_and_publish("ex1", first_name="Steve")

        async with worker(settings, companies):
            await world.becomes(due, "synced")

        assert vibes.requests == []
        assert await bound_to(world, "ex1") == "K1"

    async def test_a_person_known_by_number_alone_is_given_their_external_id(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add("K1", person_key="K1", mobile_phone={"mdn": MDN})
        await known(world, "K1", None, MDN)
        due = await world.change_and_publish("ex1", MDN, first_name="Steve")

        async with worker(settings, companies):
            await world.becomes(due, "synced")

        (put,) = vibes.requests
        assert put.person == "K1"
        assert put.body == {"external_person_id": "ex1", "custom_fields": {"first_name": "Steve"}}

    async def test_a_person_only_seen_is_read_first(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add("K1", "external/ex1", person_key="K1", external_person_id="ex1", custom_fields={"zip": "60601"})
        await world.subscribe("K1", external="ex1")
        due = await world.change_and_publish("ex1", zip="60601", first_name="Steve")

        async with worker(settings, companies):
            await world.becomes(due, "synced")

        assert [request.method for request in vibes.requests] == ["GET", "PUT"]
        assert vibes.requests[-1].body == {"custom_fields": {"first_name": "Steve"}}

    async def test_a_person_vibes_lost_meanwhile_is_added_whole_and_remembered_anew(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        await known(world, "K1", "ex1", MDN)
        due = await world.change_and_publish("ex1", MDN, first_name="Steve", zip=None)

        async with worker(settings, companies):
            row = await world.becomes(due, "synced")

        assert [request.method for request in vibes.requests] == ["PUT", "POST"]
        assert vibes.requests[-1].body == {
            "external_person_id": "ex1",
            "mobile_phone": {"mdn": MDN},
            "custom_fields": {"first_name": "Steve"},
        }
        assert row["last_error"] is None
        assert await bound_to(world, "ex1") == "added"

    async def test_a_write_whose_answer_shows_something_else_is_not_repeated(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
        await known(world, "K1", "ex1")
        due = await world.change_and_publish("ex1", first_name="Steve")
        vibes.ignore_writes = True

        async with worker(settings, companies):
            await world.becomes(due, "synced")

        assert len(vibes.requests) == 1

    async def test_our_own_write_that_comes_back_as_a_callback_asks_for_nothing(
        self, world: World, vibes: VibesStandIn, swept: Settings, companies: Companies
    ) -> None:
        vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
        await known(world, "K1", "ex1")
        due = await world.change("ex1", first_name="Steve")

        async with worker(swept, companies):
            await world.becomes(due, "synced")
            await known(world, "K1", "ex1", first_name="Steve")  # person_updated
            other = await world.change("ex2", first_name="Mary")
            await world.becomes(other, "synced")

        assert len([request for request in vibes.requests if "ex1" in request.person]) == 1
        assert (await world.row(due))["desired_version"] == 1


class TestAChangeOfAPersonWeDoNotKnow:
    async def test_vibes_may_know_the_external_id(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
        due = await world.change_and_publish("ex1", first_name="Steve")

        async with worker(settings, companies):
            await world.becomes(due, "synced")

        (put,) = vibes.requests
        assert put.body == {"external_person_id": "ex1", "custom_fields": {"first_name": "Steve"}}
        assert await bound_to(world, "ex1") == "K1"

    async def test_who_is_unknown_to_vibes_is_added(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        due = await world.change_and_publish("a/b c%ü", MDN, first_name="Steve")

        async with worker(settings, companies):
            await world.becomes(due, "synced")

        assert [request.method for request in vibes.requests] == ["PUT", "POST"]
        assert vibes.requests[0].person == "external/a/b c%ü"
        assert await bound_to(world, "a/b c%ü") == "added"

    async def test_two_records_with_a_number_are_two_persons(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add("external/ex1", person_key="K9", external_person_id="ex1")
        await known(world, "K1", None, MDN)
        await world.crm("ex2", MDN, first_name="Mary")
        due = await world.change_and_publish("ex1", MDN, first_name="Steve")

        async with worker(settings, companies):
            await world.becomes(due, "synced")

        assert [request.person for request in vibes.requests] == ["external/ex1"]


class TestASubscription:
    async def test_of_a_person_the_crm_knows_by_number_reads_them_then_writes(
        self, world: World, vibes: VibesStandIn, swept: Settings, companies: Companies
    ) -> None:
        vibes.add("K1", person_key="K1", mobile_phone={"mdn": MDN})
        due = await world.crm("ex1", MDN, first_name="Steve")
        await world.subscribe_and_publish("K1", mdn=MDN)

        async with worker(swept, companies):
            await until(lambda: vibes.asked("PUT"), "the write")
            await world.becomes(due, "synced")

        assert [(request.method, request.person) for request in vibes.requests] == [("GET", "K1"), ("PUT", "K1")]
        assert vibes.requests[-1].body == {"external_person_id": "ex1", "custom_fields": {"first_name": "Steve"}}

    async def test_of_a_person_two_records_may_mean_writes_nothing(
        self, world: World, vibes: VibesStandIn, swept: Settings, companies: Companies
    ) -> None:
        vibes.add("K1", person_key="K1", mobile_phone={"mdn": MDN})
        await world.crm("ex1", MDN, first_name="Steve")
        await world.crm("ex2", MDN, first_name="Mary")
        due = await world.subscribe_and_publish("K1", mdn=MDN)

        async with worker(swept, companies):
            await world.becomes(due, "synced")

        assert await world.pool.fetchval("SELECT count(*) FROM person_sync") == 1
        assert vibes.asked("PUT") == []

    async def test_of_a_person_whose_write_is_a_conflict_does_not_try_it_again(self, world: World) -> None:
        await known(world, "K1", "ex1")
        due = await world.change("ex1", first_name="Steve")
        await world.pool.execute("UPDATE person_sync SET status = 'conflict'")

        await world.subscribe("K1", external="ex1")

        assert (await world.row(due))["status"] == "conflict"


class TestConflicts:
    @pytest.mark.parametrize("status", [409, 422])
    async def test_what_vibes_refuses_is_kept_with_its_words_and_not_tried_again(
        self, world: World, vibes: VibesStandIn, swept: Settings, companies: Companies, status: int
    ) -> None:
        vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
        vibes.refuse = lambda _request: status
        vibes.errors = {"errors": [{"code": "EXTERNALPERSONIDMISMATCH", "message": f"{MDN} belongs to Mary"}]}
        await known(world, "K1", "ex1")
        due = await world.change_and_publish("ex1", first_name="Steve")

        async with worker(swept, companies):
            row = await world.becomes(due, "conflict")
            await world.make_due(due)
            await world.publish(due, times=3)
            await world.messages_are(0)

        assert len(vibes.requests) == 1
        assert (row["last_status"], row["synced_version"]) == (status, 1)
        assert row["last_route"] == "PUT /persons/external/{external_person_id}"
        assert row["last_message"] == f"{MDN} belongs to Mary"
        assert "EXTERNALPERSONIDMISMATCH" in row["last_error"]
        assert "5550100" not in row["last_error"]
        assert "Mary" not in row["last_error"]

    async def test_a_change_of_the_record_opens_it_again(
        self, world: World, vibes: VibesStandIn, swept: Settings, companies: Companies
    ) -> None:
        vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
        vibes.refuse = lambda request: 422 if "Steve" in str(request.body) else None
        due = await world.change("ex1", first_name="Steve")

        async with worker(swept, companies):
            await world.becomes(due, "conflict")
            await world.change("ex1", first_name="Stephen")
            row = await world.becomes(due, "synced")

        assert (row["last_status"], row["last_message"]) == (None, None)

    async def test_a_change_that_comes_while_vibes_refuses_is_tried(
        self, world: World, vibes: VibesStandIn, swept: Settings, companies: Companies
    ) -> None:
        vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
        due = await world.change("ex1", first_name="Steve")

        async def crm_corrects() -> None:
            await world.change("ex1", first_name="Stephen")

        vibes.refuse = lambda request: 422 if "Steve" in str(request.body) else None
        vibes.on_request = lambda _request: crm_corrects() if len(vibes.requests) == 1 else None

        async with worker(swept, companies):
            await world.becomes(due, "synced")

        names = [put.body["custom_fields"]["first_name"] for put in vibes.requests if put.body]
        assert names == ["Steve", "Stephen"]

    async def test_another_number_is_told_after_the_rest_is_written(
        self, world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
    ) -> None:
        vibes.add(
            "external/ex1", person_key="K1", external_person_id="ex1", mobile_phone={"mdn": MDN}, custom_fields={}
        )
        await known(world, "K1", "ex1", MDN)
        due = await world.change_and_publish("ex1", "+13125550199", first_name="Steve")

        async with worker(settings, companies):
            row = await world.becomes(due, "conflict")

        (put,) = vibes.requests
        assert put.body == {"custom_fields": {"first_name": "Steve"}}
        assert row["last_error"].startswith("number differs")
        assert row["last_status"] is None

    async def test_an_external_id_that_moved_is_not_written_to_whoever_has_it_now(
        self, world: World, vibes: VibesStandIn, swept: Settings, companies: Companies
    ) -> None:
        vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
        due = await world.change("ex1", first_name="Steve")
        async with worker(swept, companies):
            await world.becomes(due, "synced")
            vibes.requests.clear()
            vibes.persons["external/ex1"] = {
                "person_key": "K2",
                "external_person_id": "ex1",
                "updated_at": "2024-06-01",
            }
            await world.subscribe_and_publish("K2", external=None)
            vibes.add("K2", person_key="K2", external_person_id="ex1", updated_at="2024-06-01T00:00:00Z")
            await until(
                lambda: world.pool.fetchval(
                    "SELECT true FROM persons WHERE person_key = 'K2' AND profile_at IS NOT NULL"
                ),
                "the other person read",
            )
            await world.change("ex1", first_name="Stephen")
            row = await world.becomes(due, "conflict")

        assert row["last_error"].startswith("the external id moved")
        assert vibes.asked("PUT") == []
        assert await bound_to(world, "ex1") == "K1"


async def test_changes_that_come_together_are_one_call(
    world: World, vibes: VibesStandIn, swept: Settings, companies: Companies
) -> None:
    vibes.add("external/ex1", person_key="K1", external_person_id="ex1")

    async with worker(swept, companies):
        for number in range(10):
            due = await world.change("ex1", delay=0.5, first_name=f"Steve {number}")
        await world.becomes(due, "synced")

    assert [put.body for put in vibes.asked("PUT")] == [
        {"external_person_id": "ex1", "custom_fields": {"first_name": "Steve 9"}}
    ]


async def test_what_an_import_asked_for_waits_for_what_just_happened(
    world: World, vibes: VibesStandIn, settings: Settings, companies: Companies
) -> None:
    imported = [await world.change(f"import-{number}", bulk=True, first_name="Steve") for number in range(40)]
    live = [await world.change(f"live-{number}", first_name="Steve") for number in range(40)]
    for due in [*imported, *live]:
        vibes.add(f"external/{'live' if due in live else 'import'}-{(live if due in live else imported).index(due)}")
    for person in vibes.persons.values():
        person.update(person_key=str(id(person)))

    swept = settings.model_copy(update={"person_sync_sweep_seconds": 0.1})
    async with worker(swept, companies):
        for due in [*imported, *live]:
            await world.becomes(due, "synced")

    order = [request.person for request in vibes.requests if request.method == "PUT"]
    of_imports = [place for place, person in enumerate(order) if "import" in person]
    assert sum(of_imports) / len(of_imports) > len(order) / 2
    assert {row["company_key"] for row in await world.calls()} == {COMPANY}
