"""Vibes' rules for writing persons."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import ConflictError, UnknownRecordError, UnprocessableError
from simulator.model import Person, PersonPatch
from simulator.persons import Persons

NOW = datetime(2025, 3, 3, 8, 0, tzinfo=UTC)
STEVE: PersonPatch = {"mdn": "+12065550123", "carrier_code": "104", "external_person_id": "crm-1"}


@pytest.fixture
def persons() -> Persons:
    return Persons("acme", ["first_name", "zip"])


def state(person: Person) -> PersonPatch:
    return {
        "external_person_id": person.external_person_id,
        "mdn": person.mdn,
        "carrier_code": person.carrier_code,
        "timezone": person.timezone,
        "custom_fields": dict(person.custom_fields),
    }


def test_a_new_person_gets_a_numeric_id_and_a_text_key_and_is_found_by_each_identifier(persons: Persons) -> None:
    person = persons.post(STEVE, NOW).person

    assert person.person_id.isdecimal()
    assert persons.find(person.person_key) is persons.find(person.person_id) is person
    assert persons.find_external("crm-1") is person
    assert persons.holders("+12065550123") == [person]


def test_some_person_keys_are_not_uuids() -> None:
    persons = Persons("acme", [])
    keys = [persons.create({"external_person_id": str(n)}, NOW).person_key for n in range(40)]

    assert {len(key.split("-")[0]) for key in keys} == {7, 8}
    assert len(set(keys)) == 40


def test_a_number_without_a_carrier_has_its_carrier_and_time_zone_looked_up(persons: Persons) -> None:
    person = persons.post({"mdn": "+12065550123"}, NOW).person

    assert person.carrier_code
    assert (person.timezone or "").startswith("US/")
    assert person.timezone_source == "area_code"


def test_an_mdn_is_immutable(persons: Persons) -> None:
    person = persons.post(STEVE, NOW).person

    with pytest.raises(ConflictError):
        persons.change(person, {"mdn": "+12065550199"}, NOW)
    assert person.mdn == "+12065550123"


def test_an_mdn_can_be_removed_and_then_another_one_set(persons: Persons) -> None:
    person = persons.post(STEVE, NOW).person

    persons.change(person, {"mdn": None}, NOW)
    assert (person.mdn, person.carrier_code) == (None, None)
    assert persons.holders("+12065550123") == []

    persons.change(person, {"mdn": "+12065550199"}, NOW)
    assert persons.holders("+12065550199") == [person]


def test_null_removes_and_a_missing_field_stays(persons: Persons) -> None:
    person = persons.post({**STEVE, "custom_fields": {"first_name": "Steve", "zip": "60601"}}, NOW).person

    persons.change(person, {"external_person_id": None, "custom_fields": {"zip": None}}, NOW)

    assert person.external_person_id is None
    assert person.custom_fields == {"first_name": "Steve", "zip": None}
    assert person.mdn == "+12065550123"
    with pytest.raises(UnknownRecordError):
        persons.find_external("crm-1")


def test_an_unknown_custom_field_is_named_and_nothing_is_changed(persons: Persons) -> None:
    person = persons.post(STEVE, NOW).person
    before = state(person)

    with pytest.raises(UnprocessableError, match="shoe_size"):
        persons.change(person, {"timezone": "US/Pacific", "custom_fields": {"shoe_size": "44"}}, NOW)
    assert state(person) == before


def test_an_external_id_is_unique(persons: Persons) -> None:
    persons.post(STEVE, NOW)
    other = persons.post({"external_person_id": "crm-2"}, NOW).person

    with pytest.raises(ConflictError):
        persons.change(other, {"external_person_id": "crm-1"}, NOW)


def test_a_number_nobody_serves_is_unprocessable(persons: Persons) -> None:
    with pytest.raises(UnprocessableError):
        persons.post({"mdn": "+19005550123"}, NOW)


def test_posting_a_known_number_merges(persons: Persons) -> None:
    first = persons.post({"mdn": "+12065550123"}, NOW)
    second = persons.post({**STEVE, "carrier_code": first.person.carrier_code}, NOW)

    assert (first.created, second.created) == (True, False)
    assert second.person is first.person
    assert first.person.external_person_id == "crm-1"


def test_posting_a_known_number_with_another_carrier_makes_another_person(persons: Persons) -> None:
    first = persons.post(STEVE, NOW).person
    second = persons.post({"mdn": "+12065550123", "carrier_code": "999"}, NOW).person

    assert first is not second
    assert persons.holders("+12065550123") == [first, second]


def test_posting_a_number_and_an_external_id_of_different_persons_conflicts(persons: Persons) -> None:
    persons.post(STEVE, NOW)
    persons.post({"external_person_id": "crm-2"}, NOW)

    with pytest.raises(ConflictError):
        persons.post({"mdn": "+12065550123", "external_person_id": "crm-2"}, NOW)
    with pytest.raises(ConflictError):
        persons.post({"mdn": "+12065550123", "external_person_id": "crm-new"}, NOW)


def test_posting_neither_number_nor_external_id_is_unprocessable(persons: Persons) -> None:
    with pytest.raises(UnprocessableError):
        persons.post({"custom_fields": {"zip": "1"}}, NOW)


def test_putting_by_external_id_updates_adopts_or_adds(persons: Persons) -> None:
    known = persons.post(STEVE, NOW).person
    without_id = persons.post({"mdn": "+12065550199"}, NOW).person

    updated = persons.put_external("crm-1", {"custom_fields": {"zip": "1"}}, NOW)
    adopted = persons.put_external("crm-2", {"mdn": "+12065550199"}, NOW)
    added = persons.put_external("crm-3", {}, NOW)

    assert (updated.person, updated.created) == (known, False)
    assert (adopted.person, adopted.created) == (without_id, False)
    assert without_id.external_person_id == "crm-2"
    assert added.created


def test_setting_a_number_that_another_person_has_conflicts(persons: Persons) -> None:
    persons.post(STEVE, NOW)
    other = persons.post({"external_person_id": "crm-2"}, NOW).person

    with pytest.raises(ConflictError):
        persons.change(other, {"mdn": "+12065550123", "carrier_code": "104"}, NOW)


def test_what_the_api_adds_does_not_shift_the_ids_of_a_story() -> None:
    with_api, without_api = Persons("acme", []), Persons("acme", [])
    with_api.create({"external_person_id": "crm-1"}, NOW)

    ids = [each.create({"external_person_id": "x"}, NOW, "scenario").person_id for each in (with_api, without_api)]
    assert ids[0] == ids[1]


PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "external_person_id": st.sampled_from([None, "a", "b"]),
        "mdn": st.sampled_from([None, "+12065550001", "+12065550002"]),
        "carrier_code": st.sampled_from([None, "101", "102"]),
        "timezone": st.sampled_from([None, "US/Pacific"]),
        "custom_fields": st.dictionaries(
            st.sampled_from(["first_name", "zip", "unknown"]), st.sampled_from([None, "x", "y"]), max_size=2
        ),
    },
)


@given(st.lists(st.tuples(PATCHES, st.integers(-2, 2)), max_size=12))
def test_any_writes_leave_identifiers_unique_and_time_strictly_increasing(
    writes: list[tuple[PersonPatch, int]],
) -> None:
    persons = Persons("acme", ["first_name", "zip"])
    subject = persons.create({"external_person_id": "subject"}, NOW)
    now = NOW
    for patch, seconds in writes:
        now += timedelta(seconds=seconds)
        for write in (persons.post, partial(persons.change, subject)):
            before = {person: (state(person), person.updated_at) for person in persons}
            try:
                write(patch, now)
            except (ConflictError, UnprocessableError):
                assert {person: (state(person), person.updated_at) for person in persons} == before
            for person, (old_state, old_time) in before.items():
                changed = state(person) != old_state
                assert (person.updated_at > old_time) if changed else (person.updated_at == old_time)

    externals = [person.external_person_id for person in persons if person.external_person_id]
    phones = [(person.mdn, person.carrier_code) for person in persons if person.mdn]
    assert len(set(externals)) == len(externals)
    assert len(set(phones)) == len(phones)
    assert all(
        persons.find_external(person.external_person_id) is person for person in persons if person.external_person_id
    )
