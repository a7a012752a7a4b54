"""A change the CRM sends: which fields of one person are how, since when. Pure.

A change is a patch: a field it leaves out stays as it is, one that is null is to be removed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from schemas.custom_fields import FieldType, written_form
from schemas.errors import MessageError
from schemas.values import normalise_mdn, read_text, read_timestamp

MAX_EXTERNAL_ID = 128
"""Characters of an external_person_id that Vibes takes (docs/vibes.md)."""
MAX_BYTES = 64 * 1024
"""Of one record."""
CUSTOM_FIELD = "custom_fields."
"""What the name of a custom field is preceded by in `CrmChange.fields`."""
MDN = "mdn"
CARRIER_CODE = "carrier_code"

_KNOWN = ("external_person_id", "mdn", "carrier_code", "custom_fields", "updated_at")
_AHEAD = timedelta(days=1)
_PUNCTUATION = str.maketrans("", "", " \t\u00a0().-/")


@dataclass(frozen=True, slots=True)
class CrmChange:
    """One change of one person. Personal data stays out of the repr."""

    external_person_id: str = field(repr=False)
    updated_at: datetime
    """When the CRM changed the person; an older change never overwrites a newer one of the same field."""
    fields: Mapping[str, Any] = field(repr=False)
    """New values by name: `mdn`, `carrier_code`, and `custom_fields.NAME` for each custom field. None removes."""


def read_change(
    record: object,
    received_at: datetime,
    default_country: str | None = None,
    kind_of: Callable[[str], FieldType] = lambda _name: "text",
) -> CrmChange:
    """Read one record of the CRM's: `external_person_id`, `mdn`, `carrier_code`, `custom_fields`, `updated_at`.

    Only the first is required. Without an updated_at the change is as new as `received_at`. `kind_of` tells the kind of
    a custom field by the CRM's name for it. Raises MessageError with the reason to refuse the record, and a detail that
    names fields but quotes no value.
    """
    if not isinstance(record, dict):
        raise MessageError("not_an_object", "a record is an object with external_person_id")
    unknown = sorted(set(map(str, record)) - set(_KNOWN))
    if unknown:
        raise MessageError("unknown_field", f"{', '.join(unknown)[:200]}; known are {', '.join(_KNOWN)}")
    _check_size(record)
    fields: dict[str, Any] = {}
    if "mdn" in record:
        fields[MDN] = _mdn(record["mdn"], default_country)
    if "carrier_code" in record:
        fields[CARRIER_CODE] = _carrier_code(record["carrier_code"])
    for name, value in _custom_fields(record.get("custom_fields")).items():
        try:
            written_form(value, kind_of(name))
        except MessageError as problem:
            raise MessageError(problem.reason, f"{name[:100]}: {problem.detail}") from None
        fields[CUSTOM_FIELD + name] = value
    return CrmChange(_external_person_id(record.get("external_person_id")), _updated_at(record, received_at), fields)


def mdn_e164(mdn: str, default_country: str | None) -> str | None:
    """Return a number as people write it (`(312) 555-0100`) in E.164 form; None where that is not possible."""
    return normalise_mdn(mdn.translate(_PUNCTUATION), default_country)


def _check_size(record: Mapping[str, Any]) -> None:
    try:
        text = orjson.dumps(record)
    except TypeError:  # numbers longer, or nesting deeper, than orjson writes
        raise MessageError("not_storable", "numbers beyond 64 bits or nesting too deep") from None
    if len(text) > MAX_BYTES:
        raise MessageError("too_large", f"more than {MAX_BYTES} bytes")
    if b"\\u0000" in text:
        raise MessageError("not_storable", "a NUL character")


def _external_person_id(value: object) -> str:
    text = read_text(value)
    if text is None:
        raise MessageError("no_external_person_id", "the CRM's own id of the person is missing or blank")
    if len(text) > MAX_EXTERNAL_ID:
        raise MessageError("external_person_id_too_long", f"{len(text)} characters; Vibes takes {MAX_EXTERNAL_ID}")
    if not text.isprintable():
        raise MessageError("invalid_external_person_id", "a character that cannot be printed")
    return text


def _mdn(value: object, default_country: str | None) -> str | None:
    if value is None or value == "":
        return None
    text = read_text(value)
    if text is None or mdn_e164(text, default_country) is None:
        hint = "" if default_country else ", or set default_country for numbers without one"
        raise MessageError("invalid_mdn", f"not a phone number; write it with + and the country code{hint}")
    return text


def _carrier_code(value: object) -> str | None:
    if value is None or value == "":
        return None
    text = read_text(value)
    if text is None or len(text) > 20:
        raise MessageError("invalid_carrier_code", "not a short text such as 104")
    return text


def _custom_fields(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MessageError("invalid_custom_fields", "not an object of names and values")
    if not all(name.strip() for name in value):
        raise MessageError("invalid_custom_fields", "a field without a name")
    return value


def _updated_at(record: Mapping[str, Any], received_at: datetime) -> datetime:
    if record.get("updated_at") in (None, ""):
        return received_at
    moment = read_timestamp(record["updated_at"])
    if moment is None:
        raise MessageError("invalid_updated_at", "not a time such as 2026-01-31T12:00:00Z")
    if moment > received_at + _AHEAD:
        raise MessageError("updated_at_in_future", "more than a day ahead; later changes would lose against it")
    return moment
