"""When an event is about somebody who was erased."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.callbacks.events import read_event
from tests.support.bodies import encoded, person_body, subscription_body
from workers.erasure.identifiers import Identifiers, tombstone
from workers.erasure.subject import Subject, subject_of
from workers.erasure.tombstones import is_erased

ERASED = datetime(2024, 6, 1, tzinfo=UTC)
BEFORE, AFTER = ERASED - timedelta(days=1), ERASED + timedelta(seconds=1)
ID, OTHER_ID, NUMBER = ("person_id", "P1"), ("person_id", "P2"), ("mdn", "+13125550101")
TOMBSTONES = {ID: ERASED, NUMBER: ERASED}


def subject(body: dict[str, Any]) -> Subject:
    return subject_of(read_event("acme", encoded(body), default_country="US"), "US")


@pytest.mark.parametrize(
    ("vibes", "others", "at", "erased"),
    [
        ((ID,), (), BEFORE, True),
        ((ID,), (), ERASED, True),
        ((ID,), (), AFTER, False),
        ((ID,), (), None, True),
        ((), (NUMBER,), BEFORE, True),
        ((), (NUMBER,), AFTER, False),
        ((OTHER_ID,), (), BEFORE, False),
        ((OTHER_ID,), (NUMBER,), AFTER, False),
    ],
)
def test_who_and_when_decide(vibes: Any, others: Any, at: datetime | None, erased: bool) -> None:
    assert is_erased(Subject(vibes, others, at), TOMBSTONES, living=set()) is erased


def test_a_number_tells_nothing_about_somebody_who_is_here() -> None:
    told = Subject((OTHER_ID,), (NUMBER,), BEFORE)
    assert is_erased(told, TOMBSTONES, living=set())
    assert not is_erased(told, TOMBSTONES, living={OTHER_ID})


def test_a_profile_is_as_old_as_the_persons_last_change() -> None:
    assert subject(person_body(updated_at="2024-01-05T00:00Z")).at == datetime(2024, 1, 5, tzinfo=UTC)
    assert subject(person_body(updated_at=None)).at == datetime(2024, 3, 1, tzinfo=UTC)


def test_a_stay_is_as_old_as_its_beginning_however_late_it_ends() -> None:
    removed = subscription_body("removed", opt_in_date="2023-01-01T00:00:00Z", opt_out_date="2025-01-01T00:00:00Z")
    assert subject(removed).at == datetime(2023, 1, 1, tzinfo=UTC)
    unknown = subscription_body("removed", opt_in_date=None, opt_out_date="2025-01-01T00:00:00Z")
    assert subject(unknown).at == datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        {"callback_type": "unmatched_message_received", "participant": {"mdn": "3125550101"}},
        {"callback_type": "event_processed", "event_processed": {"event_data": {"mdn": "+13125550101"}}},
        {
            "callback_type": "ack_participant_added",
            "participant": {"person": {"mobile_phone": {"mdn": "3125550101"}}},
        },
        subscription_body(person={"id": "P1", "mobile_phone": {"mdn": "3125550101"}}),
        person_body(mobile_phone={"mdn": "3125550101"}),
    ],
)
def test_the_number_is_found_wherever_a_family_has_it(body: dict[str, Any]) -> None:
    assert NUMBER in subject(body).others


def test_without_a_date_the_event_is_old() -> None:
    assert subject({"callback_type": "unmatched_message_received", "participant": {"mdn": "+13125550101"}}).at is None


def test_a_number_is_known_in_every_form() -> None:
    person = Identifiers(numbers=frozenset(["+13125550101"]))
    assert person.number_forms == {"+13125550101", "13125550101", "3125550101"}


def test_a_tombstone_depends_on_company_and_kind() -> None:
    assert len({tombstone("acme", ID), tombstone("other", ID), tombstone("acme", ("person_key", "P1"))}) == 3


def test_identifiers_survive_being_written_down_and_are_not_in_the_repr() -> None:
    person = Identifiers(person_ids=frozenset(["P1"]), numbers=frozenset(["+13125550101"]))
    assert Identifiers.from_json(person.to_json()) == person
    assert "3125550101" not in repr(person)
