"""The 17 callback types and what a registration of each has to say beside its URL. Pure.

From the OpenAPI description of Vibes' Callback API. Some of Vibes' prose samples put the parameters of the second type
of a family under the name of the first; here each type has its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from vibes_api import CallbackType, JsonValue


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of the parameter object, which goes by the name of the type."""

    name: str
    example: str
    required: bool = True
    choices: tuple[str, ...] = ()
    default: str | None = None
    """What Vibes assumes without it, as we read its documents."""


_CAMPAIGN: Final = (Parameter("campaign_id", "ACQ1000"),)
_APP: Final = (Parameter("app_id", "my-app"),)
_LIST: Final = (Parameter("list_id", "1234"),)
_WALLET: Final = (Parameter("campaign_token", "osdmeh"),)
_DELIVERY_REPORTS: Final = ("all", "only_failures", "routing", "carrier_dlr", "handset_dlr")

PARAMETERS: Final[Mapping[CallbackType, tuple[Parameter, ...]]] = {
    CallbackType.ACK_PARTICIPANT_ADDED: _CAMPAIGN,
    CallbackType.ACK_PARTICIPANT_CHANGED: _CAMPAIGN,
    CallbackType.COMPANY_PARTICIPANT_ADDED: (),
    CallbackType.COMPANY_PARTICIPANT_CHANGED: (),
    CallbackType.EVENT_PROCESSED: (
        Parameter("event_type", "order_shipped", required=False),
        Parameter("callbacks_to_send", "only_failures", required=False, choices=_DELIVERY_REPORTS, default="all"),
    ),
    CallbackType.PERSON_ADDED: (),
    CallbackType.PERSON_UPDATED: (),
    CallbackType.DEVICE_ADDED: _APP,
    CallbackType.DEVICE_REMOVED: _APP,
    CallbackType.DEVICE_UPDATED: _APP,
    CallbackType.SUBSCRIPTION_ADDED: _LIST,
    CallbackType.SUBSCRIPTION_REMOVED: _LIST,
    CallbackType.SUBSCRIPTION_LIST_ADDED: (),
    CallbackType.SUBSCRIPTION_LIST_UPDATED: (),
    CallbackType.UNMATCHED_MESSAGE_RECEIVED: (
        Parameter("source_code", "12345"),
        Parameter("country_code", "1", required=False),
    ),
    CallbackType.WALLET_ITEM_INSTALL: _WALLET,
    CallbackType.WALLET_ITEM_REMOVE: _WALLET,
}
"""The first parameter says what the registration is about; the others are settings of it."""


def read_type(value: object) -> CallbackType:
    """Return the callback type of that name. Raises ValueError with the nearest ones."""
    names = [each.value for each in CallbackType]
    if isinstance(value, str) and value in names:
        return CallbackType(value)
    if value is None:
        raise ValueError('callback_type is missing. Example: callback_type = "person_updated"')
    near = get_close_matches(str(value), names, n=2) or names
    raise ValueError(f"callback_type {value!r} is none of the {len(names)} types; did you mean {' or '.join(near)}?")


def read_parameters(callback_type: CallbackType, given: Mapping[str, object]) -> dict[str, str]:
    """Return the parameters of a registration as text. Raises ValueError: unknown, missing, or a wrong value."""
    taken = PARAMETERS[callback_type]
    for name in given:
        if name not in {parameter.name for parameter in taken}:
            takes = ", ".join(parameter.name for parameter in taken) or "none"
            raise ValueError(f"{callback_type} has no parameter {name!r}; it takes {takes}")
    read = {}
    for parameter in taken:
        value = given.get(parameter.name)
        if value is not None:
            read[parameter.name] = _read_value(parameter, value)
        elif parameter.required:
            raise ValueError(f"{callback_type} needs {parameter.name}. Example: {_example(parameter)}")
    return read


def known(callback_type: CallbackType, told: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """Return what Vibes tells of the type's parameters, without anything it may have added."""
    return {parameter.name: told.get(parameter.name) for parameter in PARAMETERS[callback_type]}


def to_send(callback_type: CallbackType, parameters: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the parameter object to send, None for a type without.

    For event_processed Vibes' prose lets one leave it out, its OpenAPI requires it: an empty one satisfies both.
    """
    return dict(parameters) if PARAMETERS[callback_type] else None


def _read_value(parameter: Parameter, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ValueError(f"{parameter.name} must be a text. Example: {_example(parameter)}")
    text = str(value)
    if parameter.choices and text not in parameter.choices:
        raise ValueError(f"{parameter.name} {text!r} is none of {', '.join(parameter.choices)}")
    return text


def _example(parameter: Parameter) -> str:
    return f'{parameter.name} = "{parameter.example}"'
