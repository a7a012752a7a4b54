"""A look at a callback's body, just deep enough for logs and metrics. Pure.

Nothing is refused for what is found here: a body that cannot be read is acknowledged too, and goes to quarantine.
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson

_BOM = b"\xef\xbb\xbf"
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


@dataclass(frozen=True, slots=True)
class Peek:
    """What a body is. The two texts are empty when they are missing or do not look like what they should be."""

    unreadable: str | None = None
    """`empty`, `not_utf8`, `too_deep`, `not_json`, `not_an_object`; None when it is a JSON object, or compressed."""
    callback_type: str = ""
    event_id: str = ""


_COMPRESSED = Peek()


def peek(body: bytes, content_encoding: str = "") -> Peek:
    """Look at a body. Never raises; a body with a Content-Encoding is not looked at."""
    if content_encoding.strip().lower() not in ("", "identity"):
        return _COMPRESSED
    text = body.removeprefix(_BOM)
    if not text or text.isspace():
        return Peek("empty")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Peek(_why(text, error))
    if not isinstance(document, dict):
        return Peek("not_an_object")
    # `callback_type` replaced `event_type`; older bodies have only that.
    callback_type = document.get("callback_type") or document.get("event_type")
    return Peek(None, _word(callback_type), _word(document.get("event_id")))


def _word(value: Any) -> str:
    """Return a value that is safe to log as it is, else an empty text."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _why(text: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        text.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    return "too_deep" if "depth" in error.msg or "recursion" in error.msg.lower() else "not_json"
