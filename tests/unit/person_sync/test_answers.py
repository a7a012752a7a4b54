"""From a person that Vibes answered to a profile."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.errors import MessageError
from schemas.facts import BEGINNING, PersonIdentity
from vibes_api import Person
from workers.person_sync.answers import profile_of_answer

BY_KEY = PersonIdentity(None, "K1")
BY_ID = PersonIdentity("123", None)
UPDATED = "2017-02-18T19:30Z"


def answered(**fields: Any) -> Person:
    return Person.from_json({"updated_at": UPDATED, **fields})


@pytest.mark.parametrize(
    ("fields", "asked", "whose"),
    [
        ({"person_key": "K1", "person_id": "123"}, BY_KEY, PersonIdentity("123", "K1")),
        ({"person_id": 123}, BY_KEY, PersonIdentity("123", "K1")),
        ({"person_key": "K1"}, BY_ID, PersonIdentity("123", "K1")),
        ({"person_key": "K2", "person_id": "456"}, BY_KEY, PersonIdentity("456", "K2")),
        ({}, BY_ID, BY_ID),
        ({"person_key": "K1"}, None, BY_KEY),
    ],
)
def test_an_answer_is_about_the_ids_it_names_and_the_one_asked_for(
    fields: dict[str, Any], asked: PersonIdentity, whose: PersonIdentity
) -> None:
    profile = profile_of_answer(answered(**fields), asked, None)
    assert profile is not None
    assert profile.person == whose


def test_an_answer_to_a_write_that_names_nobody_is_no_profile() -> None:
    # By an old guide Vibes answers what was sent.
    assert profile_of_answer(answered(custom_fields={"first_name": "Steve"}), None, None) is None


def test_the_version_of_a_profile_is_when_the_person_was_updated() -> None:
    profile = profile_of_answer(answered(), BY_KEY, None)
    assert profile is not None
    assert profile.at == profile.event_date == datetime(2017, 2, 18, 19, 30, tzinfo=UTC)


@pytest.mark.parametrize("updated_at", [None, "", "yesterday", 7])
def test_an_answer_without_a_time_has_the_oldest_version(updated_at: object) -> None:
    profile = profile_of_answer(answered(updated_at=updated_at), BY_KEY, None)
    assert profile is not None
    assert profile.at == profile.event_date == BEGINNING


def test_a_number_without_a_country_is_completed() -> None:
    profile = profile_of_answer(answered(mobile_phone={"mdn": "3125550100", "carrier_code": 104}), BY_KEY, "US")
    assert profile is not None
    assert (profile.mdn, profile.mdn_e164, profile.carrier_code) == ("3125550100", "+13125550100", "104")


def test_characters_the_database_cannot_hold_are_replaced() -> None:
    profile = profile_of_answer(answered(custom_fields={"first\0": ["St\0eve"]}), BY_KEY, None)
    assert profile is not None
    assert profile.custom_fields == {"first�": ["St�eve"]}


def nested(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


def test_an_answer_that_nests_deeper_than_the_fast_writer_goes_is_kept() -> None:
    profile = profile_of_answer(answered(custom_fields={"deep": nested(300)}), BY_KEY, None)
    assert profile is not None
    assert profile.custom_fields == {"deep": nested(300)}


def test_an_answer_that_nests_too_deep_to_be_kept_is_bad() -> None:
    with pytest.raises(MessageError):
        profile_of_answer(answered(custom_fields={"deep": nested(5_000)}), BY_KEY, None)
