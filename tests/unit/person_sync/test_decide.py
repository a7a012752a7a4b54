"""Which call a person needs."""

from dataclasses import replace

import pytest

from runtime.companies import Sync
from schemas.facts import PersonIdentity
from vibes_api import PersonPatch
from workers.person_sync.decide import PERSON_NOT_FOUND, PERSON_UNKNOWN_HERE, Finish, Hydrate, Push, decide
from workers.person_sync.state import CrmPerson, KnownPerson, SyncState

ALL = Sync()
KEY = "21w2e27r-w413"
SEEN = KnownPerson(
    PersonIdentity("123", KEY), hydrated=False, external_person_id=None, mdn="+13125550100", mdn_e164="+13125550100"
)
HYDRATED = replace(SEEN, hydrated=True, custom_fields={"first_name": "Stephen", "kept": "as it is"})
LINKED = replace(HYDRATED, external_person_id="ex1")
CRM = CrmPerson("ex1", "+13125550100", "104", {"first_name": "Steve"})


def state(person: KnownPerson | None, crm: CrmPerson | None = None) -> SyncState:
    return SyncState(desired_version=1, synced_version=0, attempts=0, due=True, person=person, crm=crm)


def pushed(person: KnownPerson, crm: CrmPerson) -> Push:
    action = decide(state(person, crm), ALL)
    assert isinstance(action, Push)
    return action


class TestHydrating:
    def test_a_person_only_seen_is_read_by_key(self) -> None:
        assert decide(state(SEEN), ALL) == Hydrate(PersonIdentity(None, KEY), None)

    def test_without_a_key_by_person_id(self) -> None:
        person = replace(SEEN, identity=PersonIdentity("123", None), external_person_id="ex1")
        assert decide(state(person), ALL) == Hydrate(PersonIdentity("123", None), "ex1")

    def test_hydrating_comes_before_pushing(self) -> None:
        assert isinstance(decide(state(SEEN, CRM), ALL), Hydrate)

    def test_a_person_whose_profile_is_known_is_not_read(self) -> None:
        assert decide(state(HYDRATED), ALL) == Finish()

    def test_a_person_that_stays_unknown_after_a_read_is_given_up(self) -> None:
        assert decide(state(SEEN, CRM), ALL, {Hydrate}) == Finish(PERSON_NOT_FOUND)

    def test_the_policy_may_forbid_it(self) -> None:
        assert decide(state(SEEN), Sync(hydrate_unknown_persons=False)) == Finish()

    def test_a_person_the_mirror_lost_to_a_merge_needs_nothing(self) -> None:
        assert decide(state(None), ALL) == Finish(PERSON_UNKNOWN_HERE)


class TestPushing:
    def test_only_fields_that_differ_go_out_to_the_external_id(self) -> None:
        push = pushed(LINKED, CRM)
        assert push.address is None
        assert push.external_person_id == "ex1"
        assert push.changes.to_json() == {"custom_fields": {"first_name": "Steve"}}

    def test_nothing_goes_out_when_nothing_differs(self) -> None:
        assert decide(state(LINKED, replace(CRM, custom_fields={"kept": "as it is"})), ALL) == Finish()

    def test_a_person_without_the_external_id_is_given_it_by_key(self) -> None:
        # A PUT to the external id, which nobody has yet, might add a second person.
        push = pushed(HYDRATED, CRM)
        assert push.address == PersonIdentity(None, KEY)
        assert push.changes.to_json() == {"external_person_id": "ex1", "custom_fields": {"first_name": "Steve"}}

    def test_a_number_is_set_only_where_vibes_has_none(self) -> None:
        numberless = replace(LINKED, mdn=None, mdn_e164=None)
        assert pushed(numberless, CRM).changes.to_json()["mobile_phone"] == {
            "mdn": "+13125550100",
            "carrier_code": "104",
        }
        other = replace(CRM, mdn_e164="+13125550199")
        assert "mobile_phone" not in pushed(LINKED, other).changes.to_json()

    def test_a_carrier_alone_is_never_sent(self) -> None:
        numberless = replace(LINKED, mdn=None, mdn_e164=None)
        assert "mobile_phone" not in pushed(numberless, replace(CRM, mdn_e164=None)).changes.to_json()

    def test_should_vibes_not_know_the_person_the_whole_of_it_is_added(self) -> None:
        crm = replace(CRM, custom_fields={"first_name": "Steve", "kept": "as it is", "zip": None})
        assert pushed(LINKED, crm).whole.to_json() == {
            "external_person_id": "ex1",
            "mobile_phone": {"mdn": "+13125550100", "carrier_code": "104"},
            "custom_fields": {"first_name": "Steve", "kept": "as it is"},
        }

    def test_a_person_added_has_at_least_the_number_vibes_told(self) -> None:
        whole = pushed(LINKED, replace(CRM, mdn_e164=None)).whole.to_json()
        assert whole["mobile_phone"] == {"mdn": "+13125550100"}

    def test_null_removes_a_field_vibes_has_and_is_not_sent_for_one_it_lacks(self) -> None:
        push = pushed(LINKED, replace(CRM, custom_fields={"kept": None, "never_there": None}))
        assert push.changes.to_json() == {"custom_fields": {"kept": None}}

    def test_without_a_profile_every_field_goes_out(self) -> None:
        person = replace(SEEN, external_person_id="ex1", custom_fields={})
        action = decide(state(person, replace(CRM, custom_fields={"zip": None})), Sync(hydrate_unknown_persons=False))
        assert isinstance(action, Push)
        assert action.changes.to_json() == {"custom_fields": {"zip": None}}

    def test_it_is_done_once_even_if_the_answer_shows_something_else(self) -> None:
        assert decide(state(LINKED, CRM), ALL, {Push}) == Finish()

    def test_the_policy_may_forbid_it(self) -> None:
        assert decide(state(LINKED, CRM), Sync(push_crm_data=False)) == Finish()


@pytest.mark.parametrize(
    "value", [LINKED, CRM, state(LINKED, CRM), decide(state(LINKED, CRM), ALL), decide(state(SEEN), ALL)]
)
def test_no_personal_data_in_a_repr(value: object) -> None:
    for secret in ("ex1", "5550100", "Steve", "Stephen"):
        assert secret not in repr(value)


def test_the_same_action_twice_is_equal_so_that_a_refused_one_is_recognised() -> None:
    assert pushed(LINKED, CRM) == pushed(LINKED, CRM)
    assert pushed(LINKED, CRM).changes == PersonPatch(custom_fields={"first_name": "Steve"})
