"""Compare what the pipeline came to know with what the simulator holds."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson

_PERSONS = """
SELECT person_id, person_key, external_person_id, mdn, carrier_code, timezone, custom_fields, vibes_updated_at
FROM persons WHERE company_key = $1
"""
_STAYS = """
SELECT p.person_id, s.list_id, s.opt_in_date, s.opt_out_date, s.opt_out_reason, s.opt_in_event_id, s.opt_out_event_id
FROM subscriptions AS s JOIN persons AS p USING (person_uid) WHERE s.company_key = $1
"""
_PROFILE = ("external_person_id", "mdn", "carrier_code", "timezone", "custom_fields")

Divergence = dict[str, Any]
"""What differs: which person or stay, in what, what Vibes holds and what we hold."""


async def compare(database_url: str, company_key: str, truth: Iterable[Mapping[str, Any]]) -> list[Divergence]:
    """Return every person and every stay that differs from the truth (the lines of /_simulator/mobiledb)."""
    lines = list(truth)
    connection = await asyncpg.connect(database_url, server_settings={"timezone": "UTC"})
    try:
        persons = [dict(row) for row in await connection.fetch(_PERSONS, company_key)]
        stays = [dict(row) for row in await connection.fetch(_STAYS, company_key)]
    finally:
        await connection.close()
    return [
        *compare_persons([line for line in lines if line["kind"] == "person"], persons),
        *compare_stays([line for line in lines if line["kind"] == "stay"], stays),
    ]


def compare_persons(truth: list[Mapping[str, Any]], rows: list[dict[str, Any]]) -> list[Divergence]:
    """Compare persons by Vibes' id.

    One whose present state was told (by a callback, or by an answer of the Person API) must be equal in everything; one
    that subscription callbacks named must be there; nobody else may be.
    """
    ours = {row["person_id"]: row for row in rows}
    found = []
    for person in truth:
        person_id = person["person_id"]
        row = ours.pop(person_id, None)
        if row is None:
            if person["key_told"] or person["announced"]:
                found.append(_differs(f"person {person_id}", "row", "there", "missing"))
            continue
        if person["key_told"] and row["person_key"] != person["person_key"]:
            found.append(_differs(f"person {person_id}", "person_key", person["person_key"], row["person_key"]))
        if person["announced"] or row["vibes_updated_at"] == _moment(person["updated_at"]):
            row["custom_fields"] = orjson.loads(row["custom_fields"])
            found += [
                _differs(f"person {person_id}", field, person[field], row[field])
                for field in _PROFILE
                if person[field] != row[field]
            ]
    return [*found, *(_differs(f"person {person_id}", "row", "missing", "there") for person_id in ours)]


def compare_stays(truth: list[Mapping[str, Any]], rows: list[dict[str, Any]]) -> list[Divergence]:
    """Compare stays by person, list and opt-in date: all of them, in everything."""
    ours = {(row["person_id"], row["list_id"], row["opt_in_date"]): row for row in rows}
    found = []
    for stay in truth:
        key = (stay["person_id"], stay["list_id"], _moment(stay["opt_in_date"]))
        row = ours.pop(key, None)
        if row is None:
            found.append(_differs(f"stay {key}", "row", "there", "missing"))
            continue
        expected = {
            "opt_out_date": _moment(stay["opt_out_date"]),
            "opt_out_reason": stay["opt_out_reason"],
            "opt_in_event_id": stay["added_by"],
            "opt_out_event_id": stay["removed_by"],
        }
        found += [
            _differs(f"stay {key}", field, value, row[field])
            for field, value in expected.items()
            if value != row[field]
        ]
    return [*found, *(_differs(f"stay {key}", "row", "missing", "there") for key in ours)]


def _differs(what: str, field: str, vibes: object, ours: object) -> Divergence:
    return {"what": what, "field": field, "vibes": vibes, "ours": ours}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
