"""How a person in the mirror differs from the one at Vibes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas.facts import PersonIdentity, Profile, Sighting
from tests.unit.reconcile.stories import ASKED_AT, DAY, LONG_AGO, PERSON, PROFILE, UID, answer, held, here
from workers.mirror.fold import fold, version_profile
from workers.reconcile.answer import Answer
from workers.reconcile.compare import Origin, compare
from workers.reconcile.drift import Drift, Kind
from workers.reconcile.here import HeldStay, Here

RUN = Origin("reconcile:run")


def differences(mirror: Here, told: Answer, origin: Origin = RUN) -> list[Drift]:
    return compare(mirror, told, origin)


def the_difference(mirror: Here, told: Answer) -> Drift:
    (drift,) = differences(mirror, told)
    return drift


def repaired_by(drift: Drift) -> Profile:
    (fact,) = drift.facts
    assert isinstance(fact, Profile)
    return fact


def test_one_who_agrees_is_no_drift() -> None:
    assert differences(here(), answer()) == []


def test_a_person_only_seen_in_subscriptions_gets_the_profile() -> None:
    drift = the_difference(replace(here(), profile=None), answer())
    assert drift.kind is Kind.PROFILE_MISSING
    assert repaired_by(drift).custom_fields == PROFILE.custom_fields


def test_a_person_who_is_not_here_at_all_gets_the_profile() -> None:
    assert the_difference(Here(), answer()).kind is Kind.PROFILE_MISSING


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"external_person_id": None}, ("external_person_id",)),
        ({"mdn": None, "mdn_e164": None}, ("mdn",)),
        ({"carrier_code": "105"}, ("carrier_code",)),
        ({"timezone": None, "timezone_source": None}, ("timezone", "timezone_source")),
        ({"created_at": LONG_AGO - DAY}, ("created_at",)),
        ({"custom_fields": {"first_name": "Stephen"}}, ("custom_fields.first_name",)),
        ({"custom_fields": {"first_name": "Steve", "zip": "60606"}}, ("custom_fields.zip",)),
        ({"custom_fields": {}}, ("custom_fields.first_name",)),
    ],
)
def test_a_profile_that_differs_is_replaced_and_only_its_fields_are_named(
    changes: dict[str, Any], fields: tuple[str, ...]
) -> None:
    drift = the_difference(here(profile=held(**changes)), answer())
    assert (drift.kind, drift.fields) == (Kind.PROFILE_DIFFERS, fields)
    assert repaired_by(drift).external_person_id == "ex1"


@pytest.mark.parametrize(
    "changes",
    [
        {"mdn": "3125550100"},  # by default_country in E.164 form
        {"mdn": "3125550100", "mdn_e164": None},
        {"created_at": LONG_AGO.replace(second=0)},
        {"custom_fields": {"first_name": "Steve", "zip": None, "colours": []}},
    ],
)
def test_another_way_of_writing_the_same_is_no_drift(changes: dict[str, Any]) -> None:
    assert differences(here(profile=held(**changes)), answer()) == []


def test_a_choice_without_its_option_key_is_the_same_choice() -> None:
    short, full = {"id": "4", "name": "Store"}, {"id": "4", "name": "Store", "option_key": "store"}
    told = answer(profile=PROFILE._replace(custom_fields={"shop": full}))
    assert differences(here(profile=held(custom_fields={"shop": short})), told) == []
    told = answer(profile=PROFILE._replace(custom_fields={"shop": short}))
    assert differences(here(profile=held(custom_fields={"shop": full})), told) == []


def test_a_key_nobody_told_here_is_learnt() -> None:
    drift = the_difference(here(person_key=None), answer())
    assert (drift.kind, drift.fields) == (Kind.PROFILE_DIFFERS, ("person_key",))
    assert repaired_by(drift).person == PERSON


class TestVersions:
    def test_of_two_states_of_the_same_minute_the_one_read_is_the_later(self) -> None:
        before = PROFILE._replace(event_date=LONG_AGO + DAY, custom_fields={"first_name": "Stephen"})
        drift = the_difference(here(profile=held(before)), answer())
        assert version_profile(repaired_by(drift)).version > version_profile(before).version

    def test_a_callback_of_a_later_change_wins_over_the_repair_in_either_order(self) -> None:
        repair = repaired_by(the_difference(replace(here(), profile=None), answer()))
        later = PROFILE._replace(at=LONG_AGO + DAY, event_date=LONG_AGO + DAY, carrier_code="105")
        for told in ([repair, later], [later, repair]):
            (person,) = fold(told, {PERSON: UID}).persons.values()
            assert person.profile is not None
            assert person.profile.profile == later

    def test_a_late_callback_of_an_earlier_change_does_not(self) -> None:
        repair = repaired_by(the_difference(replace(here(), profile=None), answer()))
        late = PROFILE._replace(at=LONG_AGO - DAY, event_date=ASKED_AT + DAY, carrier_code="105")
        for told in ([repair, late], [late, repair]):
            (person,) = fold(told, {PERSON: UID}).persons.values()
            assert person.profile is not None
            assert person.profile.profile == repair

    def test_what_subscription_events_told_before_is_older_than_the_profile_read(self) -> None:
        repair = repaired_by(the_difference(replace(here(), profile=None), answer()))
        seen = Sighting(PERSON, ASKED_AT - timedelta(seconds=1), "former", "+13125550199", "+13125550199")
        assert seen.at < repair.event_date

    def test_a_profile_here_that_is_newer_by_vibes_own_times_stays_and_is_reported(self) -> None:
        newer = PROFILE._replace(at=LONG_AGO + DAY, event_date=LONG_AGO + DAY, carrier_code="105")
        drift = the_difference(here(profile=held(newer)), answer())
        assert (drift.kind, drift.fields, drift.repairable) == (Kind.PROFILE_DIFFERS, ("carrier_code",), False)

    def test_one_that_a_callback_told_meanwhile_is_no_drift(self) -> None:
        newer = PROFILE._replace(at=ASKED_AT, event_date=ASKED_AT + timedelta(seconds=1), carrier_code="105")
        assert differences(here(profile=held(newer)), answer()) == []


class TestGone:
    def test_a_person_vibes_does_not_know_is_reported_with_their_subscriptions(self) -> None:
        stay = HeldStay("L1", LONG_AGO)
        gone, absent = differences(here(stay), answer().unknown())
        assert (gone.kind, gone.repairable) == (Kind.PERSON_GONE, False)
        assert (absent.kind, absent.list_id, absent.repairable) == (Kind.STAY_ABSENT, "L1", False)

    def test_their_subscriptions_are_ended_if_that_is_wanted(self) -> None:
        _, absent = differences(here(HeldStay("L1", LONG_AGO)), answer().unknown(), Origin("reconcile:run", True))
        (fact,) = absent.facts
        assert fact.person == PersonIdentity(None, "K1")

    def test_one_that_has_just_begun_is_not(self) -> None:
        begun = HeldStay("L1", ASKED_AT - timedelta(minutes=5))
        (gone,) = differences(here(begun), answer().unknown(), Origin("reconcile:run", True))
        assert gone.kind is Kind.PERSON_GONE

    def test_one_whom_vibes_answers_as_another_person_is_gone_too(self) -> None:
        (gone,) = differences(here(), replace(answer().unknown(), other_person=True))
        assert gone.remark is not None
        assert "merge" in gone.remark
