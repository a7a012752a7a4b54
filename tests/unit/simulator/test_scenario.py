"""A story: proportions, repeatability, and that its events tell exactly the MobileDB's final state."""

import random
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.events import CALLBACK_TYPES, Event
from simulator.mobiledb import MobileDB
from simulator.scenario.generator import tell
from simulator.scenario.population import CUSTOM_FIELDS
from simulator.scenario.stage import START, Stage
from simulator.seeds import seeded
from simulator.truth import truth


def story(seed: int, callbacks: int, persons: int, lists: int) -> tuple[MobileDB, list[Event]]:
    db = MobileDB("acme", CUSTOM_FIELDS)
    stage = Stage(db, seeded(seed), START)
    stage.populate(persons, lists)
    return db, list(tell(stage, callbacks))


@pytest.fixture(scope="module")
def long_story() -> tuple[MobileDB, list[Event]]:
    return story(1, 20_000, 3_000, 4)


def body(event: Event) -> dict[str, Any]:
    parsed: dict[str, Any] = orjson.loads(event.body)
    return parsed


def test_the_same_seed_tells_the_same_story_and_another_seed_another() -> None:
    assert story(7, 1_000, 200, 3)[1] == story(7, 1_000, 200, 3)[1]
    assert story(7, 1_000, 200, 3)[1] != story(8, 1_000, 200, 3)[1]


def test_all_17_types_come_in_realistic_proportions(long_story: tuple[MobileDB, list[Event]]) -> None:
    facts = Counter(event.fact for event in long_story[1])
    assert set(facts) == set(CALLBACK_TYPES)
    assert 0.77 < (facts["subscription_added"] + facts["subscription_removed"]) / 20_000 < 0.83
    assert 0.08 < (facts["person_added"] + facts["person_updated"]) / 20_000 < 0.12


def test_a_short_story_has_all_17_types_too() -> None:
    assert {event.fact for event in story(1, 400, 50, 3)[1]} == set(CALLBACK_TYPES)


def test_there_are_bursts_of_stop_an_archived_list_and_people_who_come_back(
    long_story: tuple[MobileDB, list[Event]],
) -> None:
    db, events = long_story
    reasons = Counter(stay.opt_out_reason for stay in db.stays)
    assert reasons["keyword_opt_out"] > 3_000
    assert reasons["list_archived"] > 100
    assert max(Counter((stay.person, stay.list_id) for stay in db.stays).values()) > 5
    assert len(events) == 20_000


def test_a_few_people_are_far_more_active_than_the_others(long_story: tuple[MobileDB, list[Event]]) -> None:
    stays = Counter(stay.person for stay in long_story[0].stays)
    busiest = sum(count for _, count in stays.most_common(len(stays) // 10))
    assert busiest > 0.25 * stays.total()


def test_bodies_vary_as_the_documents_do(long_story: tuple[MobileDB, list[Event]]) -> None:
    bodies = [body(event) for event in long_story[1]]
    assert any("callback_type" not in each and "event_type" in each for each in bodies)
    assert any("event_type" not in each and "callback_type" in each for each in bodies)
    assert any("delivery_attempt" in each for each in bodies)
    assert any("x_trace" in each for each in bodies)
    assert all("callback_type" not in each for each in bodies if "wallet_item" in each)
    assert all("event_type" not in each for each in bodies if "event_processed" in each)
    ids = [each["subscription"]["person"]["id"] for each in bodies if "subscription" in each]
    assert {type(person_id) for person_id in ids} == {str, int}
    assert any("Ł" in event.body.decode() for event in long_story[1])


def test_the_ledger_type_is_what_a_receiver_reads(long_story: tuple[MobileDB, list[Event]]) -> None:
    for event in long_story[1]:
        parsed = body(event)
        assert event.callback_type == (parsed.get("callback_type") or parsed["event_type"])
        assert event.event_id == parsed["event_id"]
    assert any(event.callback_type != event.fact for event in long_story[1])


def test_every_event_has_an_id_of_its_own(long_story: tuple[MobileDB, list[Event]]) -> None:
    assert len({event.event_id for event in long_story[1]}) == 20_000


@given(st.integers(0, 10_000), st.integers(1, 700), st.integers(1, 120), st.integers(1, 5))
@settings(max_examples=25)
def test_events_in_any_order_tell_the_final_state(seed: int, callbacks: int, persons: int, lists: int) -> None:
    db, events = story(seed, callbacks, persons, lists)
    assert len(events) == callbacks
    in_order = [body(event) for event in events]
    shuffled = in_order.copy()
    random.Random(seed).shuffle(shuffled)

    told_persons, told_stays = fold(shuffled)

    lines = list(truth(db, {event.event_id for event in events if event.event_id}))
    announced = {line["person_id"]: line for line in lines if line["kind"] == "person" and line["announced"]}
    assert set(announced) == set(told_persons)
    for person_id, told in told_persons.items():
        assert told == {name: announced[person_id][name] for name in told}
    stays = {
        (line["person_id"], line["list_id"], moment(line["opt_in_date"])): (
            line["opt_out_date"] and moment(line["opt_out_date"]),
            line["opt_out_reason"],
        )
        for line in lines
        if line["kind"] == "stay"
    }
    assert stays == told_stays
    assert_time_tells_the_order(in_order)


def fold(bodies: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[Any, Any]]:
    """The last word on each person by updated_at, and all stays. Two last words at one time must be the same."""
    persons: dict[str, tuple[datetime, dict[str, Any]]] = {}
    stays: dict[Any, Any] = {}
    for each in bodies:
        if "subscription" in each:
            subscription = each["subscription"]
            key = (
                str(subscription["person"]["id"]),
                str(subscription["subscription_list"]["id"]),
                moment(subscription["opt_in_date"]),
            )
            end = (
                (moment(subscription["opt_out_date"]), subscription["opt_out_reason"])
                if ("opt_out_date" in subscription)
                else (None, None)
            )
            stays[key] = max(stays.get(key, (None, None)), end, key=lambda each: each[0] is not None)
        elif "updated_at" in each.get("person", {}):
            person = each["person"]
            phone = person.get("mobile_phone") or {}
            told = {
                "external_person_id": person.get("external_person_id"),
                "mdn": phone.get("mdn"),
                "carrier_code": phone.get("carrier_code"),
                "timezone": person["timezone"],
                "custom_fields": person["custom_fields"],
            }
            person_id, time = str(person["person_id"]), moment(person["updated_at"])
            if person_id in persons and persons[person_id][0] == time:
                assert persons[person_id][1] == told
            if person_id not in persons or persons[person_id][0] < time:
                persons[person_id] = (time, told)
    return {person_id: told for person_id, (_, told) in persons.items()}, stays


def assert_time_tells_the_order(bodies: list[dict[str, Any]]) -> None:
    """What is told of a person's number is told at times that increase, whichever type tells it."""
    told: dict[str, list[tuple[datetime, str | None]]] = defaultdict(list)
    for each in bodies:
        if "subscription" in each and "mobile_phone" in each["subscription"]["person"]:
            person = each["subscription"]["person"]
            told[str(person["id"])].append((moment(each["event_date"]), person["mobile_phone"]["mdn"]))
        elif "updated_at" in each.get("person", {}):
            phone = each["person"].get("mobile_phone") or {}
            told[str(each["person"]["person_id"])].append((moment(each["person"]["updated_at"]), phone.get("mdn")))
    for history in told.values():
        assert len(dict(history)) == len(set(history)), "two numbers at one time"
        assert max(history)[1] == history[-1][1]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
