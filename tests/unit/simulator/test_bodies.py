"""Malformed and documented bodies."""

import orjson
import pytest

from simulator.documented import COUNT, documented_bodies, documented_events
from simulator.events import Event, Kind
from simulator.malformed import VARIANTS, malformed_events
from simulator.seeds import seeded


@pytest.fixture(scope="module")
def malformed() -> list[Event]:
    return list(malformed_events(seeded(1), 2 * (len(VARIANTS) + 2)))


def readable(body: bytes) -> bool:
    try:
        return isinstance(orjson.loads(body), dict)
    except orjson.JSONDecodeError:
        return False


def test_every_kind_of_malformed_body_comes_in_turn(malformed: list[Event]) -> None:
    assert {event.variant for event in malformed if event.kind is Kind.MALFORMED} == set(VARIANTS)
    assert {event.kind for event in malformed} == {Kind.MALFORMED, Kind.MISSING_EVENT_ID, Kind.UNKNOWN_TYPE}


@pytest.mark.parametrize(
    "variant",
    ["broken_json", "array", "number", "empty", "invalid_utf8", "raw_nul", "not_a_number", "utf16", "deep_nesting"],
)
def test_some_cannot_be_read_at_all(malformed: list[Event], variant: str) -> None:
    assert not any(readable(event.body) for event in malformed if event.variant == variant)


@pytest.mark.parametrize(
    "variant", ["nul_character", "duplicate_keys", "payload_is_text", "type_is_array", "bad_dates"]
)
def test_others_are_objects_that_make_no_sense(malformed: list[Event], variant: str) -> None:
    assert all(readable(event.body) for event in malformed if event.variant == variant)


def test_a_body_without_event_id_and_one_of_unknown_type_are_well_formed(malformed: list[Event]) -> None:
    for event in malformed:
        if event.kind is Kind.MISSING_EVENT_ID:
            assert "event_id" not in orjson.loads(event.body)
            assert event.event_id is None
        if event.kind is Kind.UNKNOWN_TYPE:
            assert orjson.loads(event.body)["callback_type"] == event.callback_type == "loyalty_points_changed"


def test_bodies_differ_where_their_kind_allows(malformed: list[Event]) -> None:
    fixed = {"null", "empty", "blank", "empty_object"}
    bodies = [event.body for event in malformed if event.variant not in fixed]
    assert len(set(bodies)) == len(bodies)


def test_malformed_bodies_repeat_with_their_seed() -> None:
    assert list(malformed_events(seeded(5), 50)) == list(malformed_events(seeded(5), 50))


def test_the_documented_bodies_are_the_nine_samples_sharing_ids() -> None:
    events = list(documented_events())
    assert len(events) == len(documented_bodies()) == COUNT
    assert [event.body for event in events] == documented_bodies()
    assert all(orjson.dumps(orjson.loads(body)) == body for body in documented_bodies())
    assert len({event.event_id for event in events}) < COUNT
    assert len({(event.callback_type, event.event_id) for event in events}) == COUNT
    assert "wallet_item_install" in {event.callback_type for event in events}
