"""Which call a row of the outbox needs."""

from dataclasses import replace

import pytest

from runtime.companies import CustomField, Sync
from schemas.facts import PersonIdentity
from vibes_api import PersonPatch
from vibes_api.values import JsonValue
from workers.person_sync.decide import (
    MOVED,
    NOT_ADDED,
    NUMBER_DIFFERS,
    PERSON_NOT_FOUND,
    PERSON_UNKNOWN_HERE,
    RECORD_GONE,
    Finish,
    Flag,
    Hydrate,
    Push,
    decide,
)
from workers.person_sync.state import CrmRecord, KnownPerson, SyncState

ALL = Sync()
KEY = "21w2e27r-w413"
IDENTITY = PersonIdentity("123", KEY)
SEEN = KnownPerson(IDENTITY, hydrated=False, external_person_id=None, mdn="+13125550100", mdn_e164="+13125550100")
HYDRATED = replace(SEEN, hydrated=True, custom_fields={"first_name": "Stephen", "kept": "as it is"})
LINKED = replace(HYDRATED, external_person_id="ex1")
RECORD = CrmRecord("ex1", "+13125550100", "+13125550100", False, "104", {"first_name": "Steve"})
AGREED = replace(RECORD, custom_fields={"kept": "as it is"})
BOUND = replace(AGREED, bound_to=IDENTITY)


def to_read(*persons: KnownPerson) -> SyncState:
    return SyncState(desired_version=1, synced_version=0, attempts=0, due=True, persons=persons)


def to_write(record: CrmRecord | None, *persons: KnownPerson) -> SyncState:
    return replace(to_read(*persons), external_person_id="ex1", record=record)


def pushed(record: CrmRecord, *persons: KnownPerson, policy: Sync = ALL) -> Push:
    action = decide(to_write(record, *persons), policy)
    assert isinstance(action, Push)
    return action


def added(record: CrmRecord, *persons: KnownPerson) -> dict[str, JsonValue]:
    whole = pushed(record, *persons).whole
    assert whole is not None
    return whole.to_json()


class TestReading:
    def test_a_person_only_seen_is_read_by_key(self) -> None:
        assert decide(to_read(SEEN), ALL) == Hydrate(PersonIdentity(None, KEY), None)

    def test_without_a_key_by_person_id(self) -> None:
        person = replace(SEEN, identity=PersonIdentity("123", None), external_person_id="ex1")
        assert decide(to_read(person), ALL) == Hydrate(PersonIdentity("123", None), "ex1")

    def test_a_person_whose_profile_is_known_is_not_read(self) -> None:
        assert decide(to_read(HYDRATED), ALL) == Finish()

    def test_a_person_that_stays_unknown_after_a_read_is_given_up(self) -> None:
        assert decide(to_read(SEEN), ALL, {Hydrate}) == Finish(PERSON_NOT_FOUND)

    def test_the_policy_may_forbid_it(self) -> None:
        assert decide(to_read(SEEN), Sync(hydrate_unknown_persons=False)) == Finish()

    def test_a_person_the_mirror_lost_to_a_merge_needs_nothing(self) -> None:
        assert decide(to_read(), ALL) == Finish(PERSON_UNKNOWN_HERE)


class TestWritingToAPersonWeKnow:
    def test_only_fields_that_differ_go_out_to_the_external_id(self) -> None:
        push = pushed(RECORD, LINKED)
        assert push.address is None
        assert push.external_person_id == "ex1"
        assert push.changes.to_json() == {"custom_fields": {"first_name": "Steve"}}

    def test_nothing_goes_out_when_nothing_differs_and_the_person_is_remembered(self) -> None:
        assert decide(to_write(AGREED, LINKED), ALL) == Finish(None, IDENTITY)
        assert decide(to_write(BOUND, LINKED), ALL) == Finish()

    def test_an_id_learnt_later_is_remembered_too(self) -> None:
        by_key = replace(AGREED, bound_to=PersonIdentity(None, KEY))
        assert decide(to_write(by_key, LINKED), ALL) == Finish(None, IDENTITY)

    def test_a_person_only_seen_is_read_first(self) -> None:
        seen = replace(SEEN, external_person_id="ex1")
        assert decide(to_write(RECORD, seen), ALL) == Hydrate(PersonIdentity(None, KEY), "ex1")

    def test_a_person_without_the_external_id_is_given_it_by_key(self) -> None:
        # A PUT to the external id, which nobody has yet, might add a second person.
        push = pushed(RECORD, HYDRATED)
        assert push.address == PersonIdentity(None, KEY)
        assert push.changes.to_json() == {"external_person_id": "ex1", "custom_fields": {"first_name": "Steve"}}

    def test_a_number_is_set_only_where_vibes_has_none(self) -> None:
        numberless = replace(LINKED, mdn=None, mdn_e164=None)
        phone = {"mdn": "+13125550100", "carrier_code": "104"}
        assert pushed(RECORD, numberless).changes.to_json()["mobile_phone"] == phone
        assert "mobile_phone" not in pushed(replace(RECORD, mdn_e164="+13125550199"), LINKED).changes.to_json()

    def test_a_carrier_alone_is_never_sent(self) -> None:
        numberless = replace(LINKED, mdn=None, mdn_e164=None)
        assert "mobile_phone" not in pushed(replace(RECORD, mdn_e164=None), numberless).changes.to_json()

    def test_a_number_the_crm_removed_is_removed_if_there_is_one(self) -> None:
        without = replace(RECORD, mdn=None, mdn_e164=None, removes_mdn=True)
        assert pushed(without, LINKED).changes.to_json()["mobile_phone"] == {"mdn": None}
        assert "mobile_phone" not in pushed(without, replace(LINKED, mdn=None, mdn_e164=None)).changes.to_json()

    def test_another_number_than_vibes_has_is_left_to_a_human_after_the_rest_is_written(self) -> None:
        other = replace(RECORD, mdn_e164="+13125550199")
        assert isinstance(decide(to_write(other, LINKED), ALL), Push)
        assert decide(to_write(other, LINKED), ALL, {Push}) == Flag(NUMBER_DIFFERS)
        assert decide(to_write(other, LINKED), Sync(number_mismatch="ignore"), {Push}) == Finish(None, IDENTITY)

    def test_null_removes_a_field_vibes_has_and_is_not_sent_for_one_it_lacks(self) -> None:
        push = pushed(replace(RECORD, custom_fields={"kept": None, "never_there": None}), LINKED)
        assert push.changes.to_json() == {"custom_fields": {"kept": None}}

    def test_fields_are_sent_by_the_name_and_in_the_form_vibes_has_them(self) -> None:
        policy = Sync(
            custom_fields={
                "FirstName": CustomField(field="first_name"),
                "Born": CustomField(field="birthdate", type="date"),
                "Stores": CustomField(field="favorite_stores", type="multi_select"),
            },
            unmapped_custom_fields="ignore",
        )
        fields = {"FirstName": "Steve", "Born": "1950-12-01", "Stores": "a; b", "Internal": "note"}
        push = pushed(replace(RECORD, custom_fields=fields), LINKED, policy=policy)
        assert push.changes.custom_fields == {
            "birthdate": "1950-12-01T00:00:00Z",
            "favorite_stores": ["a", "b"],
            "first_name": "Steve",
        }

    def test_a_value_not_of_its_kind_is_left_out_and_told(self) -> None:
        policy = Sync(custom_fields={"first_name": CustomField(type="date")})
        assert decide(to_write(RECORD, LINKED), policy) == Finish("not of the configured type: first_name", IDENTITY)

    def test_should_vibes_not_know_the_person_the_whole_of_it_is_added(self) -> None:
        record = replace(RECORD, custom_fields={"first_name": "Steve", "kept": "as it is", "zip": None})
        assert added(record, LINKED) == {
            "external_person_id": "ex1",
            "mobile_phone": {"mdn": "+13125550100", "carrier_code": "104"},
            "custom_fields": {"first_name": "Steve", "kept": "as it is"},
        }

    def test_a_person_added_has_at_least_the_number_vibes_told(self) -> None:
        assert added(replace(RECORD, mdn_e164=None), LINKED)["mobile_phone"] == {"mdn": "+13125550100"}

    def test_it_is_done_once_even_if_the_answer_shows_something_else(self) -> None:
        assert decide(to_write(RECORD, LINKED), ALL, {Push}) == Finish(None, IDENTITY)

    def test_a_moved_external_id_is_left_to_a_human(self) -> None:
        elsewhere = replace(LINKED, identity=PersonIdentity("999", None))
        action = decide(to_write(BOUND, elsewhere), ALL)
        assert isinstance(action, Flag)
        assert action.why.startswith(MOVED)


class TestWritingToAPersonWeDoNotKnow:
    def test_all_the_crm_has_goes_out_to_the_external_id(self) -> None:
        push = pushed(replace(RECORD, custom_fields={"first_name": "Steve", "zip": None}))
        assert push.address is None
        assert push.changes.to_json() == {
            "external_person_id": "ex1",
            "mobile_phone": {"mdn": "+13125550100", "carrier_code": "104"},
            "custom_fields": {"first_name": "Steve"},
        }
        assert push.whole == push.changes

    def test_one_it_was_written_to_before_is_addressed_by_vibes_id(self) -> None:
        assert pushed(BOUND).address == IDENTITY

    def test_one_that_was_seen_and_cannot_be_read_is_written_anew(self) -> None:
        assert isinstance(decide(to_write(RECORD, replace(SEEN, external_person_id="ex1")), ALL, {Hydrate}), Push)

    def test_an_answer_that_does_not_say_whom_it_is_about_is_followed_by_a_read(self) -> None:
        assert decide(to_write(RECORD), ALL, {Push}) == Hydrate(None, "ex1")
        assert decide(to_write(RECORD), ALL, {Push, Hydrate}) == Finish(PERSON_NOT_FOUND)

    def test_where_nobody_may_be_added_the_person_is_looked_up_instead(self) -> None:
        policy = Sync(add_unknown_persons=False)
        assert decide(to_write(RECORD), policy) == Hydrate(None, "ex1")
        assert decide(to_write(RECORD), policy, {Hydrate}) == Finish(NOT_ADDED)
        assert pushed(RECORD, LINKED, policy=policy).whole is None

    def test_a_record_that_is_gone_needs_nothing(self) -> None:
        assert decide(to_write(None), ALL) == Finish(RECORD_GONE)


@pytest.mark.parametrize(
    "value",
    [LINKED, RECORD, to_write(RECORD, LINKED), decide(to_write(RECORD, LINKED), ALL), decide(to_read(SEEN), ALL)],
)
def test_no_personal_data_in_a_repr(value: object) -> None:
    for secret in ("ex1", "5550100", "Steve", "Stephen"):
        assert secret not in repr(value)


def test_the_same_action_twice_is_equal_so_that_a_refused_one_is_recognised() -> None:
    assert pushed(RECORD, LINKED) == pushed(RECORD, LINKED)
    assert pushed(RECORD, LINKED).changes == PersonPatch(custom_fields={"first_name": "Steve"})
