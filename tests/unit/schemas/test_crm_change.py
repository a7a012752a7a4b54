"""Reading one record of the CRM's, and the message that carries it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from schemas.crm_change import CrmChange, mdn_e164, read_change
from schemas.crm_message import CrmMessage, decode, encode
from schemas.errors import MessageError

NOW = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
WHOLE = {
    "external_person_id": "ex/1 %ü",
    "mdn": "(312) 555-0100",
    "carrier_code": 104,
    "custom_fields": {"first_name": "Steve", "zip": None},
    "updated_at": "2024-04-30T10:00:00+0200",
}


def refused(record: object) -> str:
    with pytest.raises(MessageError) as error:
        read_change(record, NOW, "US", lambda name: "date" if name == "born" else "text")
    return error.value.reason


def test_a_record_is_read_whole() -> None:
    assert read_change(WHOLE, NOW, "US") == CrmChange(
        "ex/1 %ü",
        datetime(2024, 4, 30, 8, tzinfo=UTC),
        {
            "mdn": "(312) 555-0100",
            "carrier_code": "104",
            "custom_fields.first_name": "Steve",
            "custom_fields.zip": None,
        },
    )


def test_only_the_external_id_is_needed_and_the_change_is_as_new_as_its_arrival() -> None:
    assert read_change({"external_person_id": 17}, NOW) == CrmChange("17", NOW, {})


def test_null_and_blank_remove_a_number_and_a_carrier() -> None:
    record = {"external_person_id": "ex1", "mdn": None, "carrier_code": ""}
    assert read_change(record, NOW).fields == {"mdn": None, "carrier_code": None}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"external_person_id": ""}, "no_external_person_id"),
        ({"external_person_id": None}, "no_external_person_id"),
        ({"external_person_id": "x" * 129}, "external_person_id_too_long"),
        ({"external_person_id": "ex\n1"}, "invalid_external_person_id"),
        ({"first_name": "Steve"}, "unknown_field"),
        ({"mdn": "call me"}, "invalid_mdn"),
        ({"mdn": {"number": 1}}, "invalid_mdn"),
        ({"carrier_code": "x" * 21}, "invalid_carrier_code"),
        ({"custom_fields": ["first_name"]}, "invalid_custom_fields"),
        ({"custom_fields": {" ": "x"}}, "invalid_custom_fields"),
        ({"custom_fields": {"born": "soon"}}, "invalid_custom_field"),
        ({"custom_fields": {"address": {"street": "Main"}}}, "invalid_custom_field"),
        ({"custom_fields": {"note": "x" * 70_000}}, "too_large"),
        ({"custom_fields": {"note": "a\0b"}}, "not_storable"),
        ({"custom_fields": {"number": 2**70}}, "not_storable"),
        ({"updated_at": "yesterday"}, "invalid_updated_at"),
        ({"updated_at": (NOW + timedelta(days=2)).isoformat()}, "updated_at_in_future"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_reason(change: dict[str, Any], reason: str) -> None:
    assert refused({**WHOLE, **change}) == reason


@pytest.mark.parametrize("record", [None, [], "ex1", 1])
def test_a_record_is_an_object(record: object) -> None:
    assert refused(record) == "not_an_object"


@pytest.mark.parametrize("field", ["mdn", "custom_fields", "updated_at"])
def test_a_refusal_quotes_no_value(field: str) -> None:
    with pytest.raises(MessageError) as error:
        read_change({**WHOLE, field: "Mary Smith"}, NOW, "US")
    assert "Mary" not in str(error.value)


@pytest.mark.parametrize("written", ["+1 (312) 555-0100", "312.555.0100", "312-555-0100", "3125550100"])
def test_numbers_are_taken_as_people_write_them(written: str) -> None:
    assert mdn_e164(written, "US") == "+13125550100"


def test_a_message_is_read_as_it_was_written() -> None:
    message = CrmMessage(
        UUID(int=7), "acme", NOW, True, [read_change(WHOLE, NOW, "US"), read_change({"external_person_id": "b"}, NOW)]
    )
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"no json", "unreadable_crm_message"),
        (b"[]", "unreadable_crm_message"),
        (b'{"version":1}', "unreadable_crm_message"),
        (b'{"version":2}', "unknown_version"),
    ],
)
def test_a_message_of_somebody_else_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(MessageError) as error:
        decode(body)
    assert error.value.reason == reason
