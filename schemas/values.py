"""Reading the values of Vibes' JSON tolerantly: what cannot be read is None, never an error (docs/vibes.md)."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import phonenumbers

_TIMESTAMP = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<time>(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?)(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"\s*(?P<offset>[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?"
)
_E164 = re.compile(r"\+[0-9]{5,15}")
_DIGITS = re.compile(r"[0-9]{5,15}")
_WORD = re.compile(r"(?!\d{7,15}$)[A-Za-z0-9_.:-]{1,64}")
"""What an id looks like, and no phone number does."""


def read_text(value: object) -> str | None:
    """Return an id or another short text: a string that is not blank, or a number's digits; else None."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def loggable(value: object) -> str:
    """Return an id that may be logged as it is; an empty text for what does not look like one."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def read_object(value: object) -> dict[str, Any] | None:
    """Return a JSON object, or None for anything else."""
    return value if isinstance(value, dict) else None


@lru_cache(maxsize=4096)
def _parse_timestamp(text: str) -> datetime | None:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    time = match["time"] or "00:00"
    seconds = "" if time.count(":") == 2 else ":00"
    fraction = (match["fraction"] or "0")[:6].ljust(6, "0")
    offset = match["offset"] or "+00:00"
    if offset in "Zz":
        offset = "+00:00"
    elif ":" not in offset:
        offset = f"{offset[:3]}:{offset[3:]}"
    try:
        return datetime.fromisoformat(f"{match['date']}T{time}{seconds}.{fraction}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_timestamp(value: object) -> datetime | None:
    """Return any of the date forms Vibes uses as an aware UTC datetime; None when it is none of them.

    Offsets with or without a colon, `Z` in either case, no seconds, fractions, a blank for the `T`, a date alone
    (midnight). A time without an offset is UTC.
    """
    return _parse_timestamp(value.strip()) if isinstance(value, str) and len(value) <= 64 else None


@lru_cache(maxsize=4096)
def normalise_mdn(mdn: str, country: str | None) -> str | None:
    """Return a phone number in E.164 form, or None where that is not possible.

    Never judges whether the number exists: Vibes' own samples do not. `country` (two letters) is needed for a number
    without a country code, which is what Vibes sends for registrations not made with API version 2.
    """
    if _E164.fullmatch(mdn):
        return mdn
    if country is None or not _DIGITS.fullmatch(mdn):
        return None
    try:
        number = phonenumbers.parse(mdn, country)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
