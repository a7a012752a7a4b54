"""Reading JSON values the way Vibes writes them: ids as text or numbers, fields absent, null or blank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

JsonValue: TypeAlias = bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
"""Anything JSON can say. Read-only views on purpose, so that a `dict[str, str]` fits too."""

JsonObject: TypeAlias = Mapping[str, JsonValue]

_EXACT_FLOAT = 2**53


class ShapeError(ValueError):
    """A JSON value is not of the shape that its route promises. The text never contains the value."""


def text(value: JsonValue) -> str | None:
    """Return an id, code or date as text; None when it is absent, null, blank or not a scalar.

    Vibes mixes `"1151"` and `1151` for one and the same id. A float beyond 2**53 has already lost digits, so
    it counts as absent rather than as a wrong id.
    """
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_FLOAT:
        return str(int(value))
    return None


def first_text(source: JsonObject, *names: str) -> str | None:
    """Return the first of the fields `names` that holds text: Vibes has two spellings for many fields."""
    return next((found for name in names if (found := text(source.get(name))) is not None), None)


def inner(source: JsonObject, *names: str) -> JsonObject:
    """Return the first of the fields `names` that is an object, else an empty one."""
    return next((found for name in names if isinstance(found := source.get(name), Mapping)), {})


def as_object(value: JsonValue) -> JsonObject:
    """Return `value` if it is a JSON object, else raise ShapeError."""
    if isinstance(value, Mapping):
        return value
    raise ShapeError(f"expected a JSON object, got {_name(value)}")


def as_objects(value: JsonValue) -> list[JsonObject]:
    """Return a list of objects from an array, from one bare object, or from nothing; else raise ShapeError.

    Vibes' own documents disagree on whether some routes answer with an object or with an array.
    """
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_object(item) for item in value]
    raise ShapeError(f"expected a JSON array or object, got {_name(value)}")


def _name(value: JsonValue) -> str:
    return "nothing" if value is None else type(value).__name__
