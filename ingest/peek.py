"""A look at a callback's body, just deep enough for logs and metrics. Pure.

Nothing is refused for what is found here: a body that cannot be read is acknowledged too, and goes to quarantine.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from schemas.callbacks.types import known_type
from schemas.values import loggable

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Peek:
    """What a body says of itself; a text is empty when it is missing or does not look like what it should be.

    The type is one of Vibes': any other text could be anything.
    """

    callback_type: str = ""
    event_id: str = ""


def why_unreadable(body: bytes, content_encoding: str = "") -> str | None:
    """Return `empty`, `not_utf8`, `too_deep`, `not_json` or `not_an_object`; None: a JSON object, or compressed."""
    if _is_compressed(content_encoding):
        return None
    text = body.removeprefix(_BOM)
    if not text or text.isspace():
        return "empty"
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _why(text, error)
    return None if isinstance(document, dict) else "not_an_object"


def peek(body: bytes, content_encoding: str = "") -> Peek:
    """Look at a body. Never raises; a body with a Content-Encoding is not looked at."""
    if _is_compressed(content_encoding):
        return Peek()
    try:
        document = orjson.loads(body.removeprefix(_BOM))
    except orjson.JSONDecodeError:
        return Peek()
    if not isinstance(document, dict):
        return Peek()
    # `callback_type` replaced `event_type`; older bodies have only that.
    return Peek(_type(document.get("callback_type") or document.get("event_type")), loggable(document.get("event_id")))


def _is_compressed(content_encoding: str) -> bool:
    return bool(content_encoding) and content_encoding.strip().lower() not in ("", "identity")


def _type(value: Any) -> str:
    return value if isinstance(value, str) and known_type(value) else ""


def _why(text: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        text.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    return "too_deep" if "depth" in error.msg or "recursion" in error.msg.lower() else "not_json"
