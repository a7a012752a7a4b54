"""Which records of the CRM have to be written, by the person worker's own decision."""

from dataclasses import replace
from typing import Any

import pytest

from runtime.companies import Sync
from schemas.facts import PersonIdentity, Profile
from tests.unit.reconcile.stories import PROFILE
from workers.person_sync.state import CrmRecord
from workers.reconcile.crm import HeldRecord, compare_records
from workers.reconcile.drift import Drift, Kind

RECORD = CrmRecord("ex1", "+13125550100", "+13125550100", carrier_code="104", custom_fields={"first_name": "Steve"})
POLICY = Sync()


def differences(profile: Profile | None = PROFILE, status: str | None = None, **changes: Any) -> list[Drift]:
    return compare_records([HeldRecord(replace(RECORD, **changes), status)], profile, POLICY)


def test_a_record_vibes_agrees_with_needs_nothing() -> None:
    assert differences() == []


def test_one_that_differs_is_to_be_written_and_only_its_fields_are_named() -> None:
    (drift,) = differences(custom_fields={"first_name": "Stephen", "zip": "60606"})
    assert (drift.kind, drift.record) == (Kind.CRM_DIFFERS, "ex1")
    assert drift.fields == ("custom_fields.first_name", "custom_fields.zip")
    assert "Stephen" not in repr(drift)


def test_one_that_no_call_can_bring_about_is_handed_to_the_worker_to_flag() -> None:
    (drift,) = differences(mdn_e164="+13125550199")
    assert drift.record == "ex1"
    assert drift.remark is not None
    assert "number" in drift.remark


def test_one_bound_to_somebody_who_has_another_external_id_now_has_moved() -> None:
    (drift,) = differences(PROFILE._replace(external_person_id="ex2"), bound_to=PersonIdentity("P1", "K1"))
    assert drift.remark is not None
    assert "moved" in drift.remark


def test_one_of_somebody_else_is_left_alone() -> None:
    assert differences(PROFILE._replace(external_person_id="ex2")) == []


def test_one_with_the_number_of_a_person_without_an_external_id_is_theirs() -> None:
    (drift,) = differences(PROFILE._replace(external_person_id=None))
    assert drift.fields == ("external_person_id",)


def test_one_vibes_has_nobody_for_is_to_be_added() -> None:
    (drift,) = differences(None)
    assert (drift.kind, drift.record) == (Kind.CRM_UNKNOWN, "ex1")
    assert set(drift.fields) == {"external_person_id", "mdn", "carrier_code", "custom_fields.first_name"}


def test_unless_nobody_is_to_be_added() -> None:
    policy = Sync(add_unknown_persons=False)
    assert compare_records([HeldRecord(RECORD)], None, policy) == []


@pytest.mark.parametrize("status", ["pending", "postponed", "resolved"])
def test_one_that_is_on_its_way_or_closed_by_a_human_is_no_drift(status: str) -> None:
    assert differences(status=status, custom_fields={"first_name": "Stephen"}) == []


def test_a_conflict_is_reported_and_not_tried_again() -> None:
    (drift,) = differences(status="conflict", custom_fields={"first_name": "Stephen"})
    assert not drift.repairable


def test_nothing_is_written_where_changes_of_the_crm_are_not() -> None:
    held = HeldRecord(replace(RECORD, custom_fields={"first_name": "Stephen"}))
    assert compare_records([held], PROFILE, Sync(push_crm_changes=False)) == []
