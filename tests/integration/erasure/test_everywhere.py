"""What is erased, and what stays."""

import json
from pathlib import Path

import pytest

from tests.integration.erasure.world import ANN, BEN, World, profile, reference, subscribed
from tests.support.bodies import subscription_body


async def test_nothing_of_the_person_is_left_in_any_table_and_the_others_are_as_they_were(world: World) -> None:
    # given two people in every table
    await world.settle(ANN, BEN)
    before = await world.traces_of(BEN)
    assert len({row.split(":")[0] for row in await world.traces_of(ANN)}) >= 7

    # when one of them is erased
    erasure = await world.erase("--external-id", ANN["external_person_id"], "--reason", "ticket 4711")

    # then no row of any table tells of her, and nothing of him is changed
    assert await world.traces_of(ANN) == []
    assert await world.traces_of(BEN) == before
    # and the account says what was done
    assert (erasure["status"], erasure["vibes_outcome"], erasure["reason"]) == ("done", "nullified", "ticket 4711")
    assert erasure["counts"] == {
        "persons": 1,
        "person_identities": 2,
        "subscriptions": 1,
        "crm_persons": 1,
        "person_sync": 1,
        "callback_events": 10,
        "dead_letters": 4,
        "person_api_calls": 1,
    }


async def test_at_vibes_every_field_is_removed_by_its_name(world: World) -> None:
    await world.settle(ANN)
    await world.erase("--person-key", ANN["person_key"])
    (put,) = world.vibes.asked("PUT")
    assert put.person == ANN["person_key"]
    assert put.body == {
        "external_person_id": None,
        "mobile_phone": {"mdn": None, "carrier_code": None},
        "custom_fields": {"first_name": None, "zip": None},
    }
    assert world.vibes.asked("GET")[-1].person == ANN["person_key"], "what is left there is looked at"


async def test_every_callback_is_still_accounted_for(world: World) -> None:
    await world.settle(ANN)
    receipts = (
        "SELECT message_id, position, event_id, event_date, received_at, endpoint FROM callback_events ORDER BY 1, 2"
    )
    before = await world.pool.fetch(receipts)
    letters = await world.pool.fetchval("SELECT count(*) FROM dead_letters")
    await world.erase("--external-id", ANN["external_person_id"])
    assert await world.pool.fetch(receipts) == before
    assert set(await world.types()) == {"erased"}
    assert await world.pool.fetchval("SELECT count(*) FROM dead_letters WHERE erased_at IS NOT NULL") == letters


async def test_views_no_longer_show_the_person(world: World) -> None:
    await world.settle(ANN)
    views = ("participations", "push_devices", "inbound_messages", "event_outcomes", "current_subscriptions")
    assert all([await world.count(view) for view in views])
    await world.erase("--external-id", ANN["external_person_id"])
    assert not any([await world.count(view) for view in views])


async def test_of_two_persons_with_one_number_only_the_one_chosen_is_erased(world: World) -> None:
    ben = {**BEN, "mdn": ANN["mdn"]}
    await world.tell(subscribed(ANN, "a1"), subscribed(ben, "b1"), profile(ben, "b2"))
    await world.tell(
        {"callback_type": "unmatched_message_received", "event_id": "m1", "participant": {"mdn": ANN["mdn"]}}
    )
    told = await world.erase("--mdn", ANN["mdn"], "--local-only", exit_code=1)
    assert "this may mean 2 persons" in told
    assert ANN["person_key"] in told
    assert await world.pool.fetchval("SELECT count(*) FROM erasures") == 0

    await world.erase("--person-key", ANN["person_key"], "--local-only")
    assert await world.pool.fetchval("SELECT array_agg(person_key) FROM persons") == [BEN["person_key"]]
    assert await world.types() == ["erased", "subscription_added", "person_updated", "unmatched_message_received"]
    # his late events come in as ever, though they have the number
    await world.tell(subscribed(ben, "b3", "L2", opt_in_date="2024-01-02T00:00:00Z"))
    assert await world.pool.fetchval("SELECT count(*) FROM subscriptions") == 2


async def test_all_persons_with_a_number_are_erased_if_that_is_asked_for(world: World) -> None:
    ben = {**BEN, "mdn": ANN["mdn"]}
    await world.tell(subscribed(ANN, "a1"), subscribed(ben, "b1"))
    await world.tell(
        {"callback_type": "unmatched_message_received", "event_id": "m1", "participant": {"mdn": ANN["mdn"]}}
    )
    await world.run("persons", "erase", "--mdn", ANN["mdn"], "--local-only", "--all", "--yes")
    assert await world.traces_of(ANN) == []
    assert await world.traces_of(ben) == []


async def test_somebody_the_mirror_does_not_know_is_erased_from_the_log(world: World) -> None:
    await world.tell(
        {"callback_type": "unmatched_message_received", "event_id": "m1", "participant": {"mdn": ANN["mdn"]}},
        {"callback_type": "unmatched_message_received", "event_id": "m2", "participant": {"mdn": BEN["mdn"]}},
    )
    erasure = await world.erase("--mdn", ANN["mdn"], "--local-only")
    assert erasure["counts"] == {"callback_events": 1}
    assert await world.types() == ["erased", "unmatched_message_received"]


async def test_short_ids_do_not_match_by_chance(world: World) -> None:
    short = {**ANN, "person_id": "1", "external_person_id": "2"}
    await world.tell(subscribed(short, "a1"))
    await world.pool.execute(
        "INSERT INTO dead_letters (company_key, kind, stage, reason, body) VALUES "
        "('acme', 'quarantined', 'decode', 'not_json', 'line 1 of 2'), "
        "('acme', 'quarantined', 'decode', 'unknown_type', '{\"list\": 1, \"count\": \"2\"}'), "
        "('acme', 'quarantined', 'decode', 'not_json', 'x913125550101 is another number')"
    )
    other = subscription_body(event_id="o1", person={"id": "11", "external_id": "22"}, list_id="1")
    await world.tell(other, {"callback_type": "wallet_item_install", "event_id": "w1", "wallet_item": {"uuid": "2"}})
    erasure = await world.erase("--person-id", "1", "--local-only")
    assert erasure["counts"]["callback_events"] == 1
    assert "dead_letters" not in erasure["counts"]


async def test_a_record_of_the_crm_nobody_else_knows_is_erased_too(world: World) -> None:
    await world.pool.execute(
        "INSERT INTO crm_persons (company_key, external_person_id, mdn, mdn_e164, updated_at) "
        "VALUES ('acme', $1, $2, $2, now())",
        ANN["external_person_id"],
        ANN["mdn"],
    )
    erasure = await world.erase("--mdn", "(312) 555-0101", "--local-only")
    assert erasure["counts"] == {"crm_persons": 1}


async def test_a_dry_run_says_what_would_be_erased_and_changes_nothing(world: World) -> None:
    await world.settle(ANN)
    before = await world.traces_of(ANN)
    told = json.loads(
        await world.run("persons", "erase", "--external-id", ANN["external_person_id"], "--dry-run", "--json")
    )
    (person,) = told["people"]
    assert person["rows"]["callback_events"] == 10
    assert person["rows"]["dead_letters"] == 4
    assert person["person"]["numbers"] == ["+1***01"]
    assert await world.traces_of(ANN) == before
    assert await world.pool.fetchval("SELECT count(*) FROM erasures") == 0
    assert await world.pool.fetchval("SELECT count(*) FROM erased_identities") == 0
    assert world.vibes.asked("PUT") == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "give one of --external-id"),
        (("--external-id", "a", "--mdn", "+13125550101", "--yes"), "give one of --external-id"),
        (("--external-id", "a"), "nobody can be asked here: add --yes or --dry-run"),
        (("--external-id", "crm-ann-1", "--reason", "asked by crm-ann-1", "--yes"), "must not name the person"),
    ],
)
async def test_wrong_use_is_told(world: World, arguments: tuple[str, ...], problem: str) -> None:
    assert problem in await world.run("persons", "erase", *arguments, exit_code=2)


async def test_erasures_are_listed_without_personal_data(world: World) -> None:
    assert "nobody was erased" in await world.run("persons", "erasures")
    await world.settle(ANN)
    await world.erase("--external-id", ANN["external_person_id"])
    (row,) = json.loads(await world.run("persons", "erasures", "--json"))
    assert (row["status"], row["last_error"]) == ("done", None)
    assert not any(word in json.dumps(row) for word in ANN.values())
    assert "nullified" in await world.run("persons", "erasures")


async def test_an_erased_persons_number_in_another_spelling_is_found(world: World, tmp_path: Path) -> None:
    spelled = {**ANN, "mdn": "3125550101"}
    await world.tell(
        {**subscribed(spelled, "a1")},
        {"callback_type": "unmatched_message_received", "event_id": "m1", "participant": {"mdn": 3125550101}},
        {
            "callback_type": "event_processed",
            "event_id": "p1",
            "event_processed": {"event_data": {"mdn": "13125550101"}},
        },
        {"callback_type": "device_added", "event_id": "d1", "person": reference(BEN)},
    )
    erasure = await world.erase("--mdn", ANN["mdn"], "--local-only")
    assert erasure["counts"]["callback_events"] == 3


@pytest.mark.parametrize("external", ['o"brien\\\\/1', "Zoë Ångström 100%", "a.b*c+(d)|e_f", "7"])
async def test_any_external_id_is_found_where_only_it_is_named(world: World, external: str) -> None:
    odd = {**ANN, "external_person_id": external}
    inside = {"event_data": {"member": {"external_id": external, "name": ANN["name"]}}}
    await world.tell(
        {"callback_type": "event_processed", "event_id": "p1", "event_processed": inside},
        {"callback_type": "device_added", "event_id": "d1", "person": {"external_id": external}},
        {"callback_type": "device_added", "event_id": "d2", "person": {"external_id": f"{external}x"}},
    )
    world.at_vibes(odd)
    erasure = await world.erase("--external-id", external)
    assert (erasure["vibes_outcome"], erasure["counts"]) == ("nullified", {"callback_events": 2})
    assert await world.types() == ["erased", "device_added", "erased"]
