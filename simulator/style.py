"""The variations that Vibes' own documents show between one body and the next.

Envelopes differ by age, some ids are JSON numbers, elements nobody announced come in, keys change their order.
None of it changes what the body says.
"""

import random
from enum import Enum, auto
from typing import Final

from simulator.model import JsonObject

_ID_PLACES: Final = (
    ("subscription", "person", "id"),
    ("subscription", "subscription_list", "id"),
    ("person", "person_id"),
    ("participant", "person", "id"),
    ("subscription_list", "id"),
)


class Envelope(Enum):
    """Which of the type fields and counters a body has."""

    CURRENT = auto()
    TYPE_ONLY = auto()
    YEAR_2021 = auto()
    YEAR_2017 = auto()


def choose_envelope(callback_type: str, rng: random.Random) -> Envelope:
    """Mostly the current one. Wallet bodies never have callback_type, event_processed never a top-level event_type."""
    if callback_type.startswith("wallet_"):
        return Envelope.YEAR_2017
    if callback_type == "event_processed":
        return Envelope.TYPE_ONLY
    draw = rng.random()
    if draw < 0.76:
        return Envelope.CURRENT
    if draw < 0.84:
        return Envelope.TYPE_ONLY
    return Envelope.YEAR_2021 if draw < 0.92 else Envelope.YEAR_2017


def type_fields(callback_type: str, envelope: Envelope, rng: random.Random) -> JsonObject:
    """Return the envelope's fields beside event_id and event_date.

    A changed participant sometimes says callback_type ack_participant_added, as the published sample does.
    """
    if callback_type.startswith("wallet_"):
        return {"event_type": callback_type}
    if envelope is Envelope.YEAR_2017:
        return {"event_type": callback_type, "callback_id": "DEF123", "delivery_attempt": "1"}
    if envelope is Envelope.TYPE_ONLY:
        return {"callback_type": callback_type}
    newer = callback_type
    if callback_type == "ack_participant_changed" and rng.random() < 0.3:
        newer = "ack_participant_added"
    fields: JsonObject = {"callback_type": newer, "event_type": callback_type}
    return fields | ({"delivery_attempt": "1"} if envelope is Envelope.YEAR_2021 else {})


def vary(body: JsonObject, rng: random.Random) -> JsonObject:
    """`body` (which may be changed) with ids as numbers, unknown elements or another order of keys, now and then."""
    draw = rng.random()
    if draw < 0.08:
        for place in _ID_PLACES:
            _to_number(body, place)
    elif draw < 0.13:
        body["x_trace"] = {"shard": rng.randrange(16), "tags": ["новое", None, 1.5]}
        for value in body.values():
            if isinstance(value, dict):
                value["x_added_later"] = "unknown elements are to be ignored"
    elif draw < 0.16:
        return dict(reversed(body.items()))
    return body


def _to_number(body: JsonObject, place: tuple[str, ...]) -> None:
    *way, last = place
    at = body
    for name in way:
        inner = at.get(name)
        if not isinstance(inner, dict):
            return
        at = inner
    value = at.get(last)
    if isinstance(value, str) and value.isdecimal() and not value.startswith("0"):
        at[last] = int(value)
