"""Which change of a field wins. Pure.

A record is what changes add up to: of every field the latest value, by the CRM's own time, and of two values of one
time the greater one. That is a pick of the greatest, so any order, repetition and grouping of the same changes gives
the same record. A field that no change has told of is not in it; one that was removed is in it, as null.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas.crm_change import CARRIER_CODE, CUSTOM_FIELD, MDN, CrmChange
from schemas.errors import MessageError
from workers.crm.canonical import canonical

Version = tuple[datetime, str]
"""Since when a field has a value, and the value as canonical JSON; the greater version wins."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the CRM has told of one person. Personal data stays out of the repr."""

    updated_at: datetime
    """The latest time of a change, also of one that tells no field; UTC."""
    fields: Mapping[str, Version] = field(repr=False)
    """By the names of `CrmChange.fields`."""


def record_of(change: CrmChange) -> Record:
    """Return what one change tells.

    Raises MessageError `unknown_field`, `invalid_mdn`, `invalid_carrier_code` or one of `canonical`: intake refuses
    such changes, so they are another program's or another release's.
    """
    at = change.updated_at.astimezone(UTC)
    return Record(at, {name: (at, _value(name, value)) for name, value in change.fields.items()})


def fold(one: Record, other: Record) -> Record:
    """Return what both tell."""
    fields = dict(one.fields)
    for name, version in other.fields.items():
        known = fields.get(name)
        if known is None or version > known:
            fields[name] = version
    return Record(max(one.updated_at, other.updated_at), fields)


def alters(before: Record | None, after: Record) -> bool:
    """Tell whether `after` wants anything else of Vibes than `before`; None: there was no record.

    A value that was told once more, at a later time, is no other value.
    """
    if before is None or before.fields.keys() != after.fields.keys():
        return True
    return any(before.fields[name][1] != value for name, (_, value) in after.fields.items())


def _value(name: str, value: Any) -> str:
    if name in (MDN, CARRIER_CODE):
        if not (value is None or isinstance(value, str)):
            raise MessageError(f"invalid_{name}", "neither a text nor null")
    elif not name.startswith(CUSTOM_FIELD):
        raise MessageError("unknown_field", "this release knows mdn, carrier_code and custom_fields")
    return canonical(value)
