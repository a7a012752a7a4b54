import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.peek import Peek, peek, why_unreadable


def test_type_and_id_are_found() -> None:
    seen = peek(b'{"event_id": "AB234SDFD234", "callback_type": "person_added", "person": {}}')
    assert seen == Peek("person_added", "AB234SDFD234")


def test_the_old_name_of_the_type_is_understood() -> None:
    assert peek(b'{"event_type": "person_added"}').callback_type == "person_added"


def test_a_byte_order_mark_is_tolerated() -> None:
    assert peek(b'\xef\xbb\xbf{"event_id": "A"}').event_id == "A"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b'{"a": ', "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b'{"a": "\\ud800"}', "not_json"),
        (b'{"a": "\x00"}', "not_json"),
        (b"<xml/>", "not_json"),
        (b'{"a": "\xff"}', "not_utf8"),
        ('{"a": "ü"}'.encode("utf-16"), "not_utf8"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b"[]", "not_an_object"),
        (b"17", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"text"', "not_an_object"),
    ],
)
def test_what_cannot_be_read_has_a_reason(body: bytes, reason: str) -> None:
    assert why_unreadable(body) == reason
    assert peek(body) == Peek()


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "deflate"])
def test_a_compressed_body_is_not_looked_at(encoding: str) -> None:
    assert why_unreadable(b"\x1f\x8b\x08", encoding) is None
    assert peek(b"{}", encoding) == Peek()


@pytest.mark.parametrize("encoding", ["identity", " Identity ", ""])
def test_identity_is_no_compression(encoding: str) -> None:
    assert why_unreadable(b"oops", encoding) == "not_json"


@pytest.mark.parametrize(
    "value", [17, None, ["a"], {}, "a b", "+15551234567", "15551234567", "x" * 65, "name@example.com", "ü", ""]
)
def test_what_does_not_look_like_an_id_or_a_type_is_not_shown(value: object) -> None:
    body = orjson.dumps({"event_id": value, "callback_type": value})
    assert why_unreadable(body) is None
    assert peek(body) == Peek()


def test_a_type_vibes_does_not_have_is_not_shown() -> None:
    assert peek(b'{"callback_type": "Anna-Smith", "event_id": "A1"}') == Peek("", "A1")


@given(st.binary())
def test_no_body_whatever_makes_it_fail(body: bytes) -> None:
    peek(body)
    why_unreadable(body)


scalars = st.none() | st.integers() | st.floats() | st.text()
documents = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(documents)
def test_every_json_object_is_readable_and_nothing_else_is(document: object) -> None:
    try:
        body = orjson.dumps(document)
    except (TypeError, orjson.JSONEncodeError):
        return  # an integer beyond 64 bits, or a lone surrogate
    assert why_unreadable(body) == (None if isinstance(document, dict) else "not_an_object")
