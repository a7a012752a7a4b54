from datetime import UTC, datetime
from uuid import uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.broker_message import CallbackMessage, ReceivedCallback, decode, encode
from schemas.errors import MessageError

plain_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
callbacks = st.builds(
    ReceivedCallback,
    body=st.binary(max_size=200),
    received_at=st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1)),
    source_ip=st.ip_addresses().map(str),
    method=st.sampled_from(["POST", "PUT"]),
    endpoint=plain_text,
    headers=st.dictionaries(plain_text, plain_text, max_size=3),
)
messages = st.builds(
    CallbackMessage,
    message_id=st.uuids(),
    company_key=plain_text,
    ingest_id=plain_text,
    acknowledged=st.integers(0, 2**62),
    callbacks=st.lists(callbacks, max_size=4).map(tuple),
)


@given(messages)
def test_what_was_encoded_is_decoded_byte_for_byte(message: CallbackMessage) -> None:
    assert decode(encode(message)) == message


def test_the_envelope_is_one_line_of_json_before_the_raw_bodies() -> None:
    received = ReceivedCallback(b"not json \xff", datetime.now(UTC), "192.0.2.1", "POST", "main", {})
    head, _, rest = encode(CallbackMessage(uuid4(), "acme", "i", 0, (received,))).partition(b"\n")
    assert orjson.loads(head)["callbacks"][0]["bytes"] == len(rest)
    assert rest == b"not json \xff"


def test_fields_a_later_release_adds_are_ignored() -> None:
    message = CallbackMessage(uuid4(), "acme", "i", 3, ())
    envelope = {**orjson.loads(encode(message)), "added_later": 1}
    assert decode(orjson.dumps(envelope) + b"\n") == message


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "unreadable_envelope"),
        (b"{}\n", "unreadable_envelope"),
        (b"[1]\n", "unreadable_envelope"),
        (b'{"version": 2}\n', "unknown_version"),
        (encode(CallbackMessage(uuid4(), "acme", "i", 0, ())) + b"too much", "unreadable_envelope"),
    ],
)
def test_a_foreign_message_is_a_message_error(body: bytes, reason: str) -> None:
    with pytest.raises(MessageError) as caught:
        decode(body)
    assert caught.value.reason == reason


@given(st.binary(max_size=100))
def test_no_bytes_make_decoding_fail_in_another_way(body: bytes) -> None:
    with pytest.raises(MessageError):
        decode(body)
