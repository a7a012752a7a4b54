"""Test events of the Callback API: they look like real ones and change nothing."""

from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import orjson

from simulator.errors import UnprocessableError
from simulator.events import Event, Kind
from simulator.model import JsonObject
from simulator.times import plain

_PERSON: Final = {"person_id": "12344566", "mobile_phone": {"mdn": "+12995551234", "carrier_code": "104"}}
_PAYLOADS: Final[dict[str, JsonObject]] = {
    "person": {"person": _PERSON | {"custom_fields": {}}},
    "subscription": {
        "subscription": {
            "person": {"id": "ABC123", "mobile_phone": {"mdn": "+12995551234"}},
            "subscription_list": {"id": "1234"},
            "opt_in_date": "2017-01-15T15:34:52Z",
        }
    },
    "subscription_list": {"subscription_list": {"id": "ABC12345", "name": "Test"}},
    "participant": {
        "participant": {
            "person": {"id": "AB3423", "mobile_phone": {"mdn": "+12995551234"}},
            "acquisition_campaign": {"id": "C1323542"},
            "status": "PENDING",
        }
    },
    "device": {
        "person": {"person_id": "ABC123"},
        "push_device": {"app_id": "test-app", "vibes_device_id": "test-device", "device_os": "ANDROID"},
    },
    "event_processed": {"event_processed": {"event_id": "test", "event_type": "test", "event_data": {}, "action": {}}},
}


def make_test_event(callback_type: str, overrides: JsonObject, now: datetime) -> Event:
    """Return a dummy event of a type, with the payload objects of the request laid over it.

    Raises:
        UnprocessableError: Vibes' OpenAPI has no test request for wallet and unmatched types.

    """
    payload = _payload(callback_type)
    laid_over = {name: _merged(value, overrides.get(name)) for name, value in payload.items()}
    event_id = str(uuid4())
    body = {
        "event_id": event_id,
        "callback_type": callback_type,
        "event_type": callback_type,
        "event_date": plain(now),
        **laid_over,
    }
    return Event(Kind.TEST, callback_type, event_id, orjson.dumps(body), fact=callback_type)


def _payload(callback_type: str) -> JsonObject:
    for family in ("subscription_list", "subscription", "person", "device", "event_processed"):
        if callback_type.startswith(family):
            return _PAYLOADS[family]
    if "participant" in callback_type:
        return _PAYLOADS["participant"]
    raise UnprocessableError(f"There is no test event of type {callback_type}")


def _merged(value: Any, over: Any) -> Any:
    """Lay what the request gives over `value`; the request says `mobile` for the `mobile_phone` of bodies."""
    if not isinstance(value, dict) or not isinstance(over, dict):
        return value if over is None else over
    merged = dict(value)
    for name, inner in over.items():
        name_in_body = "mobile_phone" if name == "mobile" else name
        merged[name_in_body] = _merged(value.get(name_in_body), inner)
    return merged
