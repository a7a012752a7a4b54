"""What the FastStream rival reads of a callback: the values of its rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `stay` is there for subscription events, `profile` for person events; both name a person."""

    callback_type: str
    event_id: str
    event_date: datetime | None
    body: str
    person: tuple[str | None, str | None, str | None]
    """Vibes' id, the customer's id, the number."""
    stay: tuple[str, datetime | None, datetime | None, str | None] | None = None
    """List, opt-in, opt-out, reason."""
    profile: tuple[str, datetime | None] | None = None
    """Custom fields as JSON, and when the person was changed."""


def read(body: bytes) -> Event:
    """Read a body. Raises KeyError and ValueError."""
    told = orjson.loads(body)
    subscription = told.get("subscription")
    person = (subscription or told.get("participant") or told).get("person") or {}
    kind = str(told.get("callback_type") or told["event_type"])
    return Event(
        kind,
        told["event_id"],
        _time(told.get("event_date")),
        body.decode(),
        _who(person),
        _stay(subscription) if subscription else None,
        _profile(person) if kind in ("person_added", "person_updated") else None,
    )


def _who(person: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    return (
        person.get("person_id") or person.get("id"),
        person.get("external_person_id") or person.get("external_id"),
        (person.get("mobile_phone") or {}).get("mdn"),
    )


def _stay(subscription: dict[str, Any]) -> tuple[str, datetime | None, datetime | None, str | None]:
    return (
        subscription["subscription_list"]["id"],
        _time(subscription["opt_in_date"]),
        _time(subscription.get("opt_out_date")),
        subscription.get("opt_out_reason"),
    )


def _profile(person: dict[str, Any]) -> tuple[str, datetime | None]:
    return orjson.dumps(person.get("custom_fields")).decode(), _time(person.get("updated_at"))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
