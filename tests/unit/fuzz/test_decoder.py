"""Whatever comes, reading ends in an event or in a MessageError, soon, and within memory."""

import gzip
import json
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.broker_message import decode
from schemas.callbacks.events import read_event
from schemas.errors import MessageError
from tests.chaos.abuse import bodies
from tests.chaos.abuse.properties import bounded, check_body, check_callback, check_message
from tests.support.bodies import documented_bodies

EXAMPLES = 150

names = st.sampled_from(
    ["event_id", "callback_type", "event_type", "event_date", "person", "id", "person_id", "mdn", "custom_fields", ""]
) | st.text(max_size=5)
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["subscription_added", "person_updated", "2024-01-01T00:00:00Z", "\x00", "9" * 400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
changed_bodies = st.randoms(use_true_random=False).map(bodies.any_body)
encodings: list[Callable[[bytes], bytes]] = [
    lambda body: b"\x00" + body,
    lambda body: b"\x01" + gzip.compress(body, 1),
    lambda body: b"\x02" + zlib.compress(body, 1),
    lambda body: b"\x01" + body,
    lambda body: b"\x03" + body,
]


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A documented body in which some payload is anything."""
    document = json.loads(draw(st.sampled_from(documented_bodies())))
    document.update(draw(st.dictionaries(st.sampled_from(list(document)) | names, values, max_size=3)))
    return json.dumps(document).encode()


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=200) | changed_bodies | documents(), st.sampled_from(encodings))
def test_a_body_is_read_or_refused_and_what_is_read_can_be_stored(
    body: bytes, encode: Callable[[bytes], bytes]
) -> None:
    check_body(encode(body))


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=200) | changed_bodies | documents())
def test_no_callback_trips_over_a_mistake_of_ours(body: bytes) -> None:
    check_callback(body)


envelopes = st.fixed_dictionaries(
    {},
    optional={
        "version": st.just(1) | values,
        "message_id": st.uuids().map(str) | values,
        "company_key": st.text(max_size=5) | values,
        "ingest_id": st.text(max_size=5) | values,
        "acknowledged": st.integers() | values,
        "callbacks": values
        | st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "bytes": st.integers(-5, 20) | values,
                    "received_at": st.floats() | values,
                    "source_ip": values,
                    "method": values,
                    "endpoint": values,
                    "headers": st.dictionaries(st.sampled_from(["content-encoding", "x-a"]), values) | values,
                },
            ),
            max_size=3,
        ),
    },
)


@settings(max_examples=EXAMPLES)
@given(envelopes, st.binary(max_size=30))
def test_a_broker_message_is_decoded_or_refused(envelope: dict[str, Any], rest: bytes) -> None:
    check_message(json.dumps(envelope).encode() + b"\n" + rest)


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=300))
def test_bytes_that_are_no_broker_message_are_refused(data: bytes) -> None:
    check_message(data)


@settings(max_examples=EXAMPLES)
@given(st.randoms(use_true_random=False))
def test_a_broker_message_with_some_bytes_changed_is_decoded_or_refused(random: Random) -> None:
    envelope = {
        "version": 1,
        "message_id": "01932b1e-8d5a-7c3e-9f00-0a1b2c3d4e5f",
        "company_key": "acme",
        "ingest_id": "i",
        "acknowledged": 3,
        "callbacks": [
            {"bytes": 2, "received_at": 1.5, "source_ip": "::1", "method": "POST", "endpoint": "main", "headers": {}}
        ],
    }
    check_message(bodies.scramble(random, json.dumps(envelope).encode() + b"\n{}"))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"event_id": ' + b"9" * 1_000_000 + b"}",
        b'{"callback_type": "person_updated", "person": {"person_id": "1", "a": ' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"callback_type": "person_updated", "person": {' + b'"k":1,' * 150_000 + b'"person_id": "1"}}',
        b'{"callback_type": "' + b"\\u0000" * 170_000 + b'"}',
        b'{"event_date": "' + b"2024-01-01T" * 90_000 + b'"}',
        b" " * 1_000_000 + b"{}",
        b"\xef\xbb\xbf" * 300_000,
    ],
    ids=["arrays", "objects", "digits", "deep", "names", "nul", "date", "blanks", "boms"],
)
def test_the_largest_body_costs_little_time_and_memory(body: bytes) -> None:
    with bounded():
        check_callback(body)


@pytest.mark.parametrize("content", [b" ", b"[", b'{"a":', b"9", b'"\\u0000",'])
def test_a_body_that_inflates_without_end_costs_little_time_and_memory(content: bytes) -> None:
    packed = gzip.compress(content * (200 * 2**20 // len(content)), 6)
    with bounded(), pytest.raises(MessageError) as caught:
        read_event("acme", packed, content_encoding="gzip")
    assert caught.value.reason == "bad_encoding"


def test_an_envelope_that_promises_millions_of_callbacks_costs_little() -> None:
    item = b'{"bytes":0,"received_at":0,"source_ip":"","method":"","endpoint":"","headers":{}},'
    with bounded(), pytest.raises(MessageError):
        decode(b'{"version":1,"callbacks":[' + item * 10_000 + b"]}\n")
