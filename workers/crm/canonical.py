"""One text for each JSON value, the same before and after PostgreSQL had it. Pure."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from schemas.errors import MessageError

NULL = "null"

_quote = json.JSONEncoder(ensure_ascii=False).encode


def canonical(value: Any) -> str:
    """Return the JSON of a value, equal for equal values; as a string it orders all of them.

    Unlike `schemas.callbacks.json_body.canonical_json` it writes numbers as PostgreSQL's jsonb does, digit by digit: a
    value read back from there must not look like another one. Raises MessageError `too_deep` or `not_storable`.
    """
    try:
        return _write(value)
    except RecursionError:
        raise MessageError("too_deep") from None


def canonical_object(members: Mapping[str, str]) -> str:
    """Return the JSON of an object whose values are JSON already."""
    return "{" + ",".join(f"{_quote(name)}:{text}" for name, text in sorted(members.items())) + "}"


def read_object(text: str) -> dict[str, Any]:
    """Parse a jsonb object without losing a digit of its numbers; anything else is taken for an empty object."""
    value = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return value if isinstance(value, dict) else {}


def _write(value: Any) -> str:
    if isinstance(value, str):
        return _quote(value)
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, list):
        return "[" + ",".join(map(_write, value)) + "]"
    if isinstance(value, dict):
        return canonical_object({name: _write(item) for name, item in value.items()})
    raise MessageError("not_storable", f"a {type(value).__name__} is no JSON")


def _number(value: Any) -> str:
    # By its shortest text: a float's own digits (0.1) rather than those of its binary value.
    number = Decimal(repr(value) if isinstance(value, float) else value)
    if not number.is_finite():
        raise MessageError("not_storable", "a number that is none")
    return f"{number or abs(number):f}"
