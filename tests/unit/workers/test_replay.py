"""What is in a dead letter, which letters a filter means, and how outcomes change."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, reject

from schemas.broker_message import encode
from schemas.crm_change import CrmChange
from tests.support.applying import message
from tests.support.crm import T0, change, crm_message, fields
from tests.support.pipeline import story
from workers.apply.crm_reading import ReadChange, ReadChanges, read_written_form, written_form
from workers.apply.reading import ReadCallback, ReadMessage
from workers.replay.letters import Filter, Letter
from workers.replay.reading import ReadLetter, read_letter
from workers.replay.record import changed_letters
from workers.replay.results import Outcome

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def letter(body: bytes, **columns: Any) -> Letter:
    values = {
        "id": 7,
        "company_key": "acme",
        "kind": "dead_lettered",
        "stage": "apply",
        "reason": "internal_error",
        "callback_type": None,
        "event_id": None,
        "received_at": NOW,
        "source_ip": "192.0.2.1",
        "method": "POST",
        "endpoint": "main",
        "headers": {"x-a": "b"},
        "message_id": uuid4(),
        "position": 3,
    }
    return Letter(body=body, **{**values, **columns})


def read(row: Letter) -> ReadLetter:
    return read_letter(row, lambda _: "US")


def test_a_callback_keeps_its_receipt_its_time_and_what_came_with_it() -> None:
    row = letter(story(1)[0])
    content = read(row).content
    assert isinstance(content, ReadCallback)
    assert content.receipt == (row.message_id, 3)
    received = content.received
    assert (received.received_at, received.endpoint, received.headers) == (NOW, "main", {"x-a": "b"})
    assert content.event is not None
    assert content.event.event_id == "event-0"


def test_what_cannot_be_read_tells_why() -> None:
    item = read(letter(b"{"))
    assert item.problem is not None
    assert item.problem.reason == "not_json"


@given(fields)
def test_a_change_of_the_crm_comes_back_as_it_was(told: dict[str, Any]) -> None:
    before = CrmChange("ann/1", T0, told)
    try:
        crm_message([before])
    except TypeError:
        reject()  # numbers beyond 64 bits: intake refuses them, and no message can hold them
    assert read_written_form((uuid4(), 0), "acme", NOW, written_form(before)).change == before


def test_a_change_of_the_crm_waits_for_what_just_happened() -> None:
    content = read(letter(written_form(change("ann", 1, visits=1)), stage="crm")).content
    assert isinstance(content, ReadChange)
    assert content.told is not None
    assert content.told.bulk


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"external_person_id":"a","updated_at":1}'])
def test_what_is_no_change_tells_so(body: bytes) -> None:
    item = read(letter(body, stage="crm"))
    assert item.problem is not None
    assert item.problem.reason == "unreadable_crm_change"


@pytest.mark.parametrize("columns", [{"position": -1}, {"position": -1, "message_id": None, "company_key": None}])
def test_a_whole_broker_message_is_read_as_what_it_is(columns: dict[str, Any]) -> None:
    callbacks = read(letter(encode(message(story(3))), **columns))
    changes = read(letter(crm_message([change("a"), change("b")]), **columns))
    assert isinstance(callbacks.content, ReadMessage)
    assert isinstance(changes.content, ReadChanges)
    assert (callbacks.size, changes.size, callbacks.company_key) == (3, 2, "acme")
    for reason in ("unreadable_envelope", "unreadable_crm_message"):
        foreign = read(letter(b"what is this", reason=reason, **columns))
        assert foreign.problem is not None
        assert foreign.problem.reason == reason


def test_a_filter_is_kept_with_a_run_and_read_again() -> None:
    for wanted in (
        Filter(),
        Filter("acme", "quarantined", "decode", "not_json", "person_added", NOW, NOW, (1, 2), "open"),
    ):
        assert Filter.from_json(wanted.to_json()) == wanted
    assert Filter(status="open").is_everything
    assert not Filter(ids=(1,)).is_everything


def test_letters_of_outcomes_change_by_position() -> None:
    assert changed_letters("axqx", {1: "a", 3: "d"}) == "aaqd"
    assert changed_letters("a", {}) == "a"
    assert changed_letters("a", {5: "x", -1: "x"}) == "a"


def test_outcomes_are_words_of_the_history() -> None:
    assert [outcome.value for outcome in Outcome] == ["applied", "duplicate", "erased", "failed", "discarded"]
