"""What the request for a test event has to hold. Pure.

From the OpenAPI description of Vibes' Callback API: a test of a type registered for a list or campaign names it, and
it says `mobile` where bodies say `mobile_phone`. It knows no test events of the wallet and unmatched types, though
older documents list them; Vibes decides.
"""

import orjson

from vibes_api import CallbackType, JsonObject
from vibes_api.values import ShapeError, as_object, inner, text

_LIST = '{"subscription": {"subscription_list": {"id": "1234"}}}'
_CAMPAIGN = '{"participant": {"acquisition_campaign": {"api_key": "ACQ1000"}}}'
_REQUIRED: dict[CallbackType, tuple[tuple[str, str, str], str]] = {
    CallbackType.SUBSCRIPTION_ADDED: (("subscription", "subscription_list", "id"), _LIST),
    CallbackType.SUBSCRIPTION_REMOVED: (("subscription", "subscription_list", "id"), _LIST),
    CallbackType.ACK_PARTICIPANT_ADDED: (("participant", "acquisition_campaign", "api_key"), _CAMPAIGN),
    CallbackType.ACK_PARTICIPANT_CHANGED: (("participant", "acquisition_campaign", "api_key"), _CAMPAIGN),
}


def check_test_data(callback_type: CallbackType, data: str | None) -> JsonObject | None:
    """Return the data to lay over Vibes' sample values. Raises ValueError when it lacks what is needed."""
    required = _REQUIRED.get(callback_type)
    example = f" Example: --data '{required[1] if required else '{}'}'"
    value = _parse(data, example)
    if required:
        (payload, parent, name), _ = required
        if text(inner(inner(value, payload), parent).get(name)) is None:
            raise ValueError(f"--data: a test of {callback_type} needs {payload}.{parent}.{name}.{example}")
    return value or None


def _parse(data: str | None, example: str) -> JsonObject:
    try:
        return as_object({} if data is None else orjson.loads(data))
    except (orjson.JSONDecodeError, ShapeError):
        raise ValueError(f"--data: must be a JSON object.{example}") from None
