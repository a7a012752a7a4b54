"""The message "person X is due"."""

from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MessageError
from schemas.person_due import PersonDue, decode, encode

COMPANY_KEYS = st.text(min_size=1).filter(lambda text: "\0" not in text and text.isprintable())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


@given(COMPANY_KEYS, st.uuids())
def test_what_is_encoded_is_decoded(company_key: str, person_uid: UUID) -> None:
    due = PersonDue(company_key, person_uid)
    assert decode(encode(due)) == due


def test_the_message_is_plain_json_that_an_operator_can_read() -> None:
    due = PersonDue("acme", UUID("00000000-0000-0000-0000-00000000000a"))
    assert encode(due) == b'{"version":1,"company_key":"acme","person_uid":"00000000-0000-0000-0000-00000000000a"}'


def test_fields_of_a_later_release_are_ignored() -> None:
    due = PersonDue("acme", UUID(int=1))
    assert decode(orjson.dumps({**orjson.loads(encode(due)), "added_later": [1]})) == due


@given(st.binary())
def test_any_other_bytes_are_a_bad_message_and_nothing_else(body: bytes) -> None:
    with pytest.raises(MessageError):
        decode(body)


@given(JSON)
def test_any_other_json_is_a_bad_message_and_nothing_else(content: object) -> None:
    with pytest.raises(MessageError):
        decode(orjson.dumps(content))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "unknown_version"),
        ({"company_key": ""}, "unreadable_person_due"),
        ({"company_key": None}, "unreadable_person_due"),
        ({"company_key": "ac\0me"}, "unreadable_person_due"),
        ({"person_uid": "of the person"}, "unreadable_person_due"),
        ({"person_uid": 7}, "unreadable_person_due"),
    ],
)
def test_a_message_with_a_wrong_field_is_bad(change: dict[str, object], reason: str) -> None:
    content = {**orjson.loads(encode(PersonDue("acme", UUID(int=1)))), **change}
    with pytest.raises(MessageError) as caught:
        decode(orjson.dumps(content))
    assert caught.value.reason == reason


def test_the_error_does_not_quote_the_message() -> None:
    with pytest.raises(MessageError) as caught:
        decode(b'{"version":1,"company_key":"acme","person_uid":"+13125550100"}')
    assert "+1312" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
