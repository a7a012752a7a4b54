"""Custom fields: how a value the CRM sends is written to Vibes. Pure.

Vibes' documents give custom fields four kinds (text, date, one choice, several choices) and show them in answers, but
not how each is written. What is sent here is what their request samples use, plain strings; a choice may also be the
`{id, name, option_key}` object of an answer.
"""

from typing import Any, Literal

from schemas.errors import MessageError
from schemas.values import read_timestamp

FieldType = Literal["text", "date", "select", "multi_select"]

_CHOICE_KEYS = {"id", "name", "option_key"}
_SEPARATOR = ";"
"""Between several choices in one text, as a CSV file has them."""


def written_form(value: Any, kind: FieldType) -> Any:
    """Return a value as it is written to Vibes; None, and nothing but blanks, remove the field.

    Raises MessageError `invalid_custom_field` when the value is none of that kind; its detail does not quote it.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    match kind:
        case "text":
            return _text(value)
        case "date":
            return _date(value)
        case "select":
            return _choice(value)
        case "multi_select":
            return _choices(value)


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return _choice(value)
    if isinstance(value, list):
        return _choices(value)
    raise MessageError("invalid_custom_field", "not a text, a number, true or false, a choice or a list of choices")


def _date(value: Any) -> str:
    moment = read_timestamp(value)
    if moment is None:
        raise MessageError("invalid_custom_field", "not a date such as 1990-12-31 or 1990-12-31T00:00:00Z")
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _choice(value: Any) -> Any:
    if isinstance(value, dict):
        if value and value.keys() <= _CHOICE_KEYS and all(_is_short(item) for item in value.values()):
            return value
        raise MessageError("invalid_custom_field", "a choice has the keys id, name, option_key and no others")
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise MessageError("invalid_custom_field", "not a choice: a text, or an object with id, name, option_key")


def _choices(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(_SEPARATOR) if part.strip()]
    if isinstance(value, list):
        return [_choice(item) for item in value]
    raise MessageError("invalid_custom_field", "not a list of choices")


def _is_short(value: Any) -> bool:
    return value is None or isinstance(value, str | int)
