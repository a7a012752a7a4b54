"""Bodies that a receiver must survive: not JSON, not an object, or an object that makes no sense.

None of them says anything that can be read about a person or a subscription, so that the MobileDB stays the truth.
Each body is different where its kind allows, by an id drawn from the seed.
"""

import random
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from typing import Final

import orjson

from simulator.events import Event, Kind
from simulator.seeds import new_uuid

_DATE: Final = "2025-03-03T08:00:00Z"
_DEPTH: Final = 100_000


def _with_id(text: str) -> Callable[[str], bytes]:
    return lambda event_id: text.replace("ID", event_id).encode()


def _message(event_id: str, extra: str) -> str:
    """Return an inbound message, a type that touches neither persons nor subscriptions."""
    return (
        f'{{"event_id":"{event_id}","callback_type":"unmatched_message_received","event_date":"{_DATE}",'
        f'"participant":{{"mdn":"+13123454567","carrier_id":"104"}},{extra}}}'
    )


_UNREADABLE: Final[dict[str, Callable[[str], bytes]]] = {
    "broken_json": _with_id('{"event_id":"ID","callback_type":"subscription_added","subscription":{"per'),
    "trailing_text": _with_id('{"event_id":"ID","callback_type":"person_added"} and more'),
    "comment_in_json": _with_id('{"event_id":"ID", //deprecated\n"event_type":"person_added"}'),
    "array": _with_id('[{"event_id":"ID","callback_type":"person_added"}]'),
    "number": lambda event_id: str(int(event_id[:8], 16)).encode(),
    "string": _with_id('"ID"'),
    "null": lambda _: b"null",
    "empty": lambda _: b"",
    "blank": lambda _: b" \r\n\t",
    "xml": _with_id("<?xml version='1.0'?><callback><event_id>ID</event_id></callback>"),
    "form": _with_id("event_id=ID&callback_type=person_added"),
    "invalid_utf8": lambda event_id: _message(event_id, '"message":"caf\xe9"').encode("latin-1"),
    "utf16": lambda event_id: _message(event_id, '"message":"wide"').encode("utf-16"),
    "raw_nul": lambda event_id: _message(event_id, '"message":"a\x00b"').encode(),
    "deep_nesting": lambda event_id: (
        b'{"event_id":"%b","callback_type":"event_processed","x":%b%b}'
        % (event_id.encode(), b"[" * _DEPTH, b"]" * _DEPTH)
    ),
    "not_a_number": lambda event_id: _message(event_id, '"message":NaN').encode(),
}
_UNUSABLE: Final[dict[str, Callable[[str], bytes]]] = {
    "nul_character": lambda event_id: _message(event_id, '"message":"a\\u0000b"').encode(),
    "lone_surrogate": lambda event_id: _message(event_id, '"message":"\\ud83d"').encode(),
    "huge_integer": lambda event_id: _message(event_id, f'"message_id":{"9" * 400}').encode(),
    "huge_exponent": lambda event_id: _message(event_id, '"message_id":1e999').encode(),
    "duplicate_keys": lambda event_id: _message(event_id, '"message":"one","message":"two"').encode(),
    "byte_order_mark": lambda event_id: b"\xef\xbb\xbf" + _message(event_id, '"message":"bom"').encode(),
    "bad_dates": lambda event_id: (
        _message(event_id, '"receipt_date":"yesterday"').replace(_DATE, "2025-02-30").encode()
    ),
    "no_payload": _with_id('{"event_id":"ID","callback_type":"subscription_added"}'),
    "null_payload": _with_id('{"event_id":"ID","callback_type":"person_updated","person":null}'),
    "payload_is_text": _with_id('{"event_id":"ID","callback_type":"subscription_removed","subscription":"x"}'),
    "payload_is_array": _with_id('{"event_id":"ID","callback_type":"person_added","person":[1,2,3]}'),
    "ids_are_objects": _with_id(
        '{"event_id":"ID","callback_type":"subscription_added","event_date":17,"subscription":'
        '{"person":{"id":{"a":1}},"subscription_list":7,"opt_in_date":[]}}'
    ),
    "type_is_array": _with_id('{"event_id":"ID","callback_type":["person_added"],"event_type":{},"person":{}}'),
    "id_is_object": lambda event_id: orjson.dumps(
        {"event_id": {"id": event_id}, "callback_type": "event_processed", "event_processed": True}
    ),
    "empty_object": lambda _: b"{}",
}
_KINDS: Final = {**_UNREADABLE, **_UNUSABLE}


def malformed_events(rng: random.Random, count: int) -> Iterator[Event]:
    """`count` bodies, the kinds in turn: the malformed ones, then one without event_id, then one of unknown type.

    The last two are well formed, and marked as kinds of their own in the ledger. The event_id noted for a malformed
    body is the one that stands somewhere in its text, whether or not a reader could find it.
    """
    return islice((make(new_uuid(rng)) for make in cycle(_MAKERS)), count)


def _malformed(variant: str) -> Callable[[str], Event]:
    def make(event_id: str) -> Event:
        body = _KINDS[variant](event_id)
        named = event_id if event_id.encode() in body else None
        return Event(Kind.MALFORMED, None, named, body, variant=variant)

    return make


def _missing_event_id(event_id: str) -> Event:
    """Return an inbound message that only its own message_id tells from another."""
    body = orjson.dumps(
        {
            "callback_type": "unmatched_message_received",
            "event_date": _DATE,
            "participant": {"mdn": "+13123454567", "carrier_id": "104"},
            "message_id": event_id,
        }
    )
    return Event(Kind.MISSING_EVENT_ID, "unmatched_message_received", None, body, fact="unmatched_message_received")


def _unknown_type(event_id: str) -> Event:
    """Return a type that Vibes may add one day."""
    body = orjson.dumps(
        {
            "event_id": event_id,
            "callback_type": "loyalty_points_changed",
            "event_date": _DATE,
            "loyalty": {"points": 7},
        }
    )
    return Event(Kind.UNKNOWN_TYPE, "loyalty_points_changed", event_id, body, fact="loyalty_points_changed")


_MAKERS: Final = (*map(_malformed, _KINDS), _missing_event_id, _unknown_type)
VARIANTS: Final = tuple(_KINDS)
"""The names of the malformed kinds."""
