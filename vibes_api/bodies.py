"""Request and response bodies: JSON text to values and back, refusing what would change its meaning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import orjson

if TYPE_CHECKING:
    from vibes_api.values import JsonValue

_BOM = b"\xef\xbb\xbf"
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def encode_body(value: JsonValue) -> bytes:
    """Return `value` as JSON text in UTF-8.

    Raises ValueError, with a text free of the value, for anything JSON cannot carry. That includes NaN and
    the infinities: they would be written as null, and null tells Vibes to erase the field.
    """
    try:
        body = orjson.dumps(value, default=_plain, option=_STRICT)
    except TypeError as error:
        reason = str(error)
    else:
        if _has_non_finite(value):
            raise ValueError("the body holds NaN or an infinity; send a number, or None to remove the field")
        return body
    raise ValueError(f"the body cannot be written as JSON: {reason}")


def decode_body(body: bytes) -> JsonValue:
    """Return the JSON value of `body`; None when it is empty. A byte order mark is tolerated.

    Raises ValueError when it is not JSON; the text says so and nothing more.
    """
    content = body.removeprefix(_BOM).strip()
    if not content:
        return None
    try:
        return cast("JsonValue", orjson.loads(content))
    except orjson.JSONDecodeError:
        pass
    # Raised out here so that orjson's error, which holds the whole body, is not chained to this one.
    raise ValueError("the body is not JSON")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"type {type(value).__name__} has no JSON form")


def _has_non_finite(value: JsonValue) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, str):
        return False
    if isinstance(value, Mapping):
        return any(map(_has_non_finite, value.values()))
    return isinstance(value, Sequence) and any(map(_has_non_finite, value))
