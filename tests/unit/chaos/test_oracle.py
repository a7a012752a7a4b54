"""The oracle: what it makes of a database that is right, and of one that is wrong in one place."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import asyncpg
import pytest

from tests.chaos.load import Acknowledged
from tests.chaos.model import Model, read_event
from tests.chaos.oracle import Happened, Stored, Verdict, judge

MESSAGE = UUID(int=7)
AT = datetime(2025, 3, 3, 8, tzinfo=UTC)


def body(event_id: str, kind: str, **subscription: str) -> bytes:
    person = {"id": "P1", "person_key": "K1", "mobile_phone": {"mdn": "+15551234567"}}
    about = {"person": person, "subscription_list": {"id": "L1"}, "opt_in_date": "2025-03-03T08:00Z", **subscription}
    return json.dumps(
        {"event_id": event_id, "callback_type": kind, "event_date": "2025-03-03T08:00:00Z", "subscription": about}
    ).encode()


OPT_IN = body("e1", "subscription_added")
OPT_OUT = body("e2", "subscription_removed", opt_out_date="2025-03-03T08:00:00+0000", opt_out_reason="keyword_opt_out")
NO_JSON = b'{"event_id": "e3"'
HAPPENED = Happened(
    [Acknowledged(f"{MESSAGE}/{place}", sent) for place, sent in enumerate((OPT_IN, OPT_OUT, OPT_IN, NO_JSON))], [], []
)


def rows(*values: Any) -> list[asyncpg.Record]:
    return [cast("asyncpg.Record", value) for value in values]


def logged(position: int, sent: bytes) -> dict[str, Any]:
    value = json.loads(sent)
    kinds = {"callback_type": value["callback_type"], "event_id": value["event_id"]}
    return {"message_id": MESSAGE, "position": position, "payload": sent.decode(), **kinds}


PROFILE = ("profile_at", "profile_event_date", "external_person_id", "mdn", "carrier_code", "timezone", "created_at")
PERSON = {
    **dict.fromkeys((*PROFILE, "updated_at", "seen_external_person_id", "seen_external_person_id_at")),
    "person_id": "P1",
    "person_key": "K1",
    "custom_fields": "{}",
    "seen_mdn": "+15551234567",
    "seen_mdn_at": AT,
}
STAY = {
    "person_id": "P1",
    "list_id": "L1",
    "opt_in_date": AT,
    "opt_in_event_id": "e1",
    "opt_out_event_id": "e2",
    "opt_out_date": AT,
    "opt_out_reason": "keyword_opt_out",
}
RIGHT = Stored(
    outcomes={MESSAGE: "aadq"},
    logged=rows(logged(0, OPT_IN), logged(1, OPT_OUT)),
    set_aside=frozenset({(MESSAGE, 3)}),
    persons=rows(PERSON),
    stays=rows(STAY),
    records=[],
)


def found(verdict: Verdict) -> tuple[bool, bool, bool]:
    return bool(verdict.lost), bool(verdict.double), bool(verdict.diverged)


def test_a_database_that_is_right_is_right() -> None:
    assert judge(HAPPENED, RIGHT) == Verdict()


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        pytest.param(replace(RIGHT, outcomes={}), (True, False, False), id="messages never dealt with"),
        pytest.param(replace(RIGHT, outcomes={MESSAGE: "aad"}), (True, False, False), id="a callback left out"),
        pytest.param(replace(RIGHT, outcomes={MESSAGE: "aadd"}), (True, False, False), id="a duplicate set aside"),
        pytest.param(replace(RIGHT, logged=RIGHT.logged[:1]), (True, False, False), id="an event not in the log"),
        pytest.param(
            replace(RIGHT, logged=rows(*RIGHT.logged, {**logged(0, OPT_IN), "message_id": UUID(int=8)})),
            (False, True, False),
            id="an event twice in the log",
        ),
        pytest.param(
            replace(RIGHT, logged=rows(*RIGHT.logged, *(logged(place, body(f"x{place}", "a")) for place in (8, 9)))),
            (False, False, True),
            id="events nobody sent",
        ),
        pytest.param(replace(RIGHT, set_aside=frozenset()), (True, False, False), id="no dead letter"),
        pytest.param(replace(RIGHT, persons=[], stays=RIGHT.stays), (False, False, True), id="a person missing"),
        pytest.param(
            replace(RIGHT, persons=rows({**PERSON, "seen_mdn": "+15550000000"})), (False, False, True), id="a number"
        ),
        pytest.param(replace(RIGHT, persons=rows(PERSON, PERSON)), (False, True, True), id="a person twice"),
        pytest.param(
            replace(RIGHT, stays=rows({**STAY, "opt_out_event_id": None, "opt_out_date": None})),
            (False, False, True),
            id="a stay that goes on",
        ),
        pytest.param(replace(RIGHT, stays=[]), (False, False, True), id="a stay missing"),
    ],
)
def test_what_is_wrong_is_found(stored: Stored, expected: tuple[bool, bool, bool]) -> None:
    assert found(judge(HAPPENED, stored)) == expected


def test_a_profile_may_be_a_later_answer_of_the_person_api_but_no_earlier_one() -> None:
    answer = {"person_id": "P1", "created_at": "2025-03-01T00:00Z", "updated_at": "2025-03-03T09:00Z"}
    later = datetime(2025, 3, 3, 9, tzinfo=UTC)
    row = {
        **PERSON,
        "profile_at": later,
        "profile_event_date": later,
        "updated_at": later,
        "created_at": datetime(2025, 3, 1, tzinfo=UTC),
    }
    stored = replace(RIGHT, persons=rows(row))
    assert judge(replace(HAPPENED, answers=[answer]), stored).ok
    assert judge(HAPPENED, stored).diverged


def test_what_the_crm_wants_has_to_be_here_and_at_vibes() -> None:
    change = {"external_person_id": "crm-1", "custom_fields": {"first_name": "New"}}
    record = {"external_person_id": "crm-1", "custom_fields": '{"first_name": "New"}', "status": "synced"}
    shown = {
        "person_id": "P1",
        "created_at": "2025-03-01T00:00Z",
        "updated_at": "2025-03-01T00:00Z",
        **change,
    }
    told = replace(HAPPENED, crm_changes=[change], answers=[shown])
    assert judge(told, replace(RIGHT, records=rows(record))).ok
    assert judge(told, RIGHT).lost
    assert judge(replace(told, answers=[]), replace(RIGHT, records=rows(record))).diverged
    assert judge(told, replace(RIGHT, records=rows({**record, "status": "pending"}))).diverged


def test_the_model_is_the_same_in_any_order_and_an_opt_out_ends_the_stay_at_its_first_moment() -> None:
    again = body("e4", "subscription_removed", opt_out_date="2025-03-04T08:00:00Z", opt_out_reason="disconnect")
    events = [event for event in map(read_event, (OPT_IN, again, OPT_OUT)) if event]
    (stay,) = Model.of(events).stays.values()
    assert Model.of(events) == Model.of(reversed(events))
    assert (stay.opt_in_event_id, stay.opt_out_event_id, stay.opt_out_date) == ("e1", "e2", AT)
