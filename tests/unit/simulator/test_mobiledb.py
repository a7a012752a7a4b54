"""Signing up to an acquisition campaign."""

from datetime import UTC, datetime, timedelta

import pytest

from simulator.errors import ConflictError, UnprocessableError
from simulator.mobiledb import MobileDB, SignUp
from simulator.model import PersonPatch

NOW = datetime(2025, 3, 3, 8, 0, tzinfo=UTC)
STEVE: PersonPatch = {"mdn": "+12065550123", "external_person_id": "crm-1"}
DOUBLE, SINGLE = "ACQ1000", "ACQ1000S"


@pytest.fixture
def db() -> MobileDB:
    db = MobileDB("acme", ["first_name"])
    db.open_list(NOW)
    return db


def status(sign_up: SignUp) -> str:
    return sign_up.participation.status


def test_adding_a_person_subscribes_nobody(db: MobileDB) -> None:
    db.persons.post(STEVE, NOW)
    assert list(db.stays) == []


def test_a_double_opt_in_is_pending_until_the_person_says_yes(db: MobileDB) -> None:
    begun = db.sign_up(DOUBLE, STEVE, NOW)
    assert status(begun) == "PENDING"
    assert begun.stay is None

    again = db.sign_up(DOUBLE, STEVE, NOW)
    assert (again.participation, again.write) == (begun.participation, None)

    stay = db.reply(begun.participation, NOW, accepted=True)
    assert stay is not None
    assert status(begun) == "CONFIRMED"
    with pytest.raises(ConflictError):
        db.sign_up(DOUBLE, STEVE, NOW)


def test_a_pending_participation_lapses_without_an_event(db: MobileDB) -> None:
    begun = db.sign_up(DOUBLE, STEVE, NOW)
    later = db.sign_up(DOUBLE, STEVE, NOW + timedelta(days=2))
    assert later.participation is not begun.participation


def test_a_number_that_said_no_can_not_be_added_again(db: MobileDB) -> None:
    begun = db.sign_up(DOUBLE, STEVE, NOW)
    assert db.reply(begun.participation, NOW, accepted=False) is None

    with pytest.raises(UnprocessableError) as refusal:
        db.sign_up(DOUBLE, STEVE, NOW)
    assert refusal.value.code == "MDNHASCONFIRMATIONBLOCK"


def test_a_single_opt_in_subscribes_at_once(db: MobileDB) -> None:
    done = db.sign_up(SINGLE, STEVE, NOW)
    assert status(done) == "SUBSCRIBED"
    assert done.stay is not None


def test_an_external_id_of_somebody_else_is_a_mismatch(db: MobileDB) -> None:
    db.persons.post(STEVE, NOW)
    with pytest.raises(UnprocessableError) as refusal:
        db.sign_up(DOUBLE, {**STEVE, "external_person_id": "crm-2"}, NOW)
    assert refusal.value.code == "EXTERNALPERSONIDMISMATCH"


def test_nothing_is_changed_by_a_sign_up_that_is_refused(db: MobileDB) -> None:
    with pytest.raises(UnprocessableError):
        db.sign_up(DOUBLE, {**STEVE, "custom_fields": {"unknown": "x"}}, NOW)
    with pytest.raises(UnprocessableError):
        db.sign_up(DOUBLE, {}, NOW)
    assert len(db.persons) == 0


def test_list_ids_come_in_all_forms_and_one_is_beyond_a_double() -> None:
    db = MobileDB("acme", [])
    ids = [db.open_list(NOW) for _ in range(6)]
    assert len(set(ids)) == 6
    assert any(not list_id.isdecimal() for list_id in ids)
    assert any(list_id.isdecimal() and int(float(list_id)) != int(list_id) for list_id in ids)
