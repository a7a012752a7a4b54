"""A record as a row of `crm_persons`, both ways. Pure."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.crm_change import CARRIER_CODE, CUSTOM_FIELD, MDN, mdn_e164
from schemas.values import read_timestamp
from workers.crm.canonical import NULL, canonical, canonical_object, read_object
from workers.crm.fold import Record

Row = tuple[str | None, str | None, str | None, str, str, datetime]
"""mdn, mdn_e164, carrier_code, custom_fields, field_times, updated_at: the columns that tell of a record."""


def record_in(row: Mapping[str, Any]) -> Record:
    """Read the record in a row.

    A row may have been filled by others: a value that field_times does not date is as old as the row's updated_at. A
    field that is dated and has no value was removed.
    """
    updated_at = _moment(row["updated_at"])
    times = read_object(row["field_times"])
    values = dict(_values(row))
    dated = (name for name in times if name in (MDN, CARRIER_CODE) or name.startswith(CUSTOM_FIELD))
    fields = {
        name: (read_timestamp(times.get(name)) or updated_at, values.get(name, NULL))
        for name in dict.fromkeys((*values, *dated))
    }
    return Record(updated_at, fields)


def row_of(record: Record, default_country: str | None) -> Row:
    """Return the row of a record, every field dated; `default_country` is that of numbers without a country code."""
    mdn, carrier_code = (_text(record, name) for name in (MDN, CARRIER_CODE))
    return (
        mdn,
        None if mdn is None else mdn_e164(mdn, default_country),
        carrier_code,
        canonical_object(
            {
                name.removeprefix(CUSTOM_FIELD): value
                for name, (_, value) in record.fields.items()
                if name.startswith(CUSTOM_FIELD)
            }
        ),
        canonical_object({name: canonical(at.isoformat()) for name, (at, _) in record.fields.items()}),
        record.updated_at,
    )


def _moment(told: datetime) -> datetime:
    # PostgreSQL's infinities come without a time zone.
    return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)


def _values(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in (MDN, CARRIER_CODE):
        if row[name] is not None:
            yield name, canonical(row[name])
    for name, value in read_object(row["custom_fields"]).items():
        yield CUSTOM_FIELD + name, canonical(value)


def _text(record: Record, name: str) -> str | None:
    version = record.fields.get(name)
    text: str | None = json.loads(version[1]) if version else None
    return text
