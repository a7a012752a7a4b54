"""Whose fault it is that a callback could not be applied: the sender's, or ours. Pure.

A sender that sends rubbish must not stop a worker; a release that cannot read what the last one could has to. The
reason alone does not tell the two apart: the reader gives it, which is under suspicion. So what could not be read is
looked at once more, by code that has little in common with the reader: if what that misses is there, we are to blame.
"""

import json
import math
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from schemas.callbacks.types import CallbackType
from schemas.errors import MessageError

_OURS = frozenset({"internal_error", "refused_by_database"})
_TYPES = frozenset(item.value for item in CallbackType)
_DATE = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TOO_LONG = "ProgramLimitExceededError"
"""Of PostgreSQL, when a value does not fit an index: a release cannot make it of what is short."""
_GZIP_OR_ZLIB = 47
_MAX_BYTES = 16 * 1024 * 1024


def blames_us(problem: MessageError, body: bytes, content_encoding: str | None = None) -> bool:
    """Tell whether a callback fails through our fault, as far as its body shows."""
    if problem.reason in _OURS:
        return True
    told = _read(body, content_encoding)
    if told is None:
        return False
    is_there = _IS_THERE.get(problem.reason, _has_known_type)
    return is_there(told)


def refusal_blames_us(problem: MessageError) -> bool:
    """Tell whether what could be read is refused through our fault: always, but for values too long for an index."""
    return problem.detail != _TOO_LONG


def _read(body: bytes, content_encoding: str | None) -> Mapping[str, Any] | None:
    """Return a body that is a JSON object and could be stored; None for any other."""
    try:
        if content_encoding and content_encoding.strip().lower() != "identity":
            body = zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, _MAX_BYTES)
        text = body.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse, parse_int=_number, parse_float=_number)
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError, zlib.error):
        return None
    return value if isinstance(value, dict) else None


def _refuse(_constant: str) -> None:
    raise ValueError


def _number(text: str) -> int | float:
    if not math.isfinite(float(text)):  # no reader of JSON has to take it
        raise ValueError
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _told_types(told: Mapping[str, Any]) -> set[str]:
    values = (told.get("callback_type"), told.get("event_type"))
    return {value.strip().lower() for value in values if isinstance(value, str)}


def _has_known_type(told: Mapping[str, Any]) -> bool:
    return bool(_told_types(told) & _TYPES)


def _has_type(told: Mapping[str, Any]) -> bool:
    return bool(_told_types(told) - {""}) or isinstance(told.get("event_processed"), dict)


def _has_subscription(told: Mapping[str, Any]) -> bool:
    return isinstance(told.get("subscription"), dict)


def _has_person(told: Mapping[str, Any]) -> bool:
    persons = (told.get("person"), _inside(told, "subscription", "person"), _inside(told, "participant", "person"))
    return any(_is_id(_inside(each, name)) for each in persons for name in ("id", "person_id", "person_key"))


def _has_list(told: Mapping[str, Any]) -> bool:
    lists = (told.get("subscription_list"), _inside(told, "subscription", "subscription_list"))
    return any(_is_id(_inside(each, "id")) for each in lists)


def _has_date(told: Mapping[str, Any]) -> bool:
    names = ("opt_in_date", "opt_out_date")
    dates = (told.get("event_date"), *(_inside(told, "subscription", name) for name in names))
    return any(isinstance(each, str) and _DATE.match(each) for each in dates)


def _inside(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_id(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else isinstance(value, int) and not isinstance(value, bool)


_IS_THERE: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "no_type": _has_type,
    "unknown_type": _has_known_type,
    "missing_subscription": _has_subscription,
    "missing_person": _has_person,
    "missing_list": _has_list,
    "missing_date": _has_date,
}
"""For a reason: whether what the reader missed is there. With any other reason a body that says it is one of Vibes'
callbacks is taken for one: in doubt it is held, not set aside."""
