"""Callback bodies for tests: the documented ones, and builders of others."""

from importlib.resources import files
from typing import Any

import orjson


def documented_bodies() -> list[bytes]:
    """Return the bodies Vibes documents, as they are."""
    text = files("simulator").joinpath("data", "documented_bodies.jsonl").read_bytes()
    return [line for line in text.splitlines() if line]


def subscription_body(
    kind: str = "added",
    *,
    event_id: str | None = "e1",
    person: dict[str, Any] | None = None,
    list_id: Any = "L1",
    **fields: Any,
) -> dict[str, Any]:
    """Return a subscription_added or subscription_removed; `fields` are put into the subscription, None leaves out."""
    subscription = {
        "person": {"id": "P1", "person_key": "K1"} if person is None else person,
        "subscription_list": {"id": list_id},
        "opt_in_date": "2024-01-01T00:00:00Z",
        **({"opt_out_date": "2024-02-01T00:00:00Z", "opt_out_reason": "user_opt_out"} if kind == "removed" else {}),
        **fields,
    }
    return {
        "event_id": event_id,
        "callback_type": f"subscription_{kind}",
        "event_date": "2024-03-01T00:00:00Z",
        "subscription": {name: value for name, value in subscription.items() if value is not None},
    }


def person_body(kind: str = "updated", *, event_id: str | None = "e1", **fields: Any) -> dict[str, Any]:
    """Return a person_added or person_updated; `fields` are put into the person."""
    person = {"person_id": "P1", "updated_at": "2024-01-01T00:00:00Z", "custom_fields": {}, **fields}
    return {
        "event_id": event_id,
        "callback_type": f"person_{kind}",
        "event_date": "2024-03-01T00:00:00Z",
        "person": person,
    }


def encoded(body: Any) -> bytes:
    """Return a body as bytes."""
    return orjson.dumps(body)
