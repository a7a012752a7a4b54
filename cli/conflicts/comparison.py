"""What a record of the CRM wants, beside what Vibes has. Pure.

Custom fields are compared as the person worker compares them: mapped by the companies file, in Vibes' form, and values
that mean the same are equal.
"""

from dataclasses import dataclass, field
from typing import Any

from cli.persons.lookup import Row
from runtime.companies import Sync
from workers.person_sync.differences import differing
from workers.person_sync.wanted import wanted_custom_fields


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not at Vibes as the CRM wants it; None: not there, or to be removed."""

    name: str
    wanted: Any = field(repr=False)
    held: Any = field(repr=False)


def compare(record: Row, person: Row, policy: Sync) -> list[Difference]:
    """Return what differs between a record of the CRM and a person of the mirror (rows of `cli.persons.lookup`)."""
    found = []
    if person["external_person_id"] != record["external_person_id"]:
        found.append(Difference("external_person_id", record["external_person_id"], person["external_person_id"]))
    if removes_number(record):
        if person["mdn"] is not None:
            found.append(Difference("mdn", None, person["mdn"]))
    elif record["mdn_e164"] and record["mdn_e164"] != person["mdn_e164"]:
        found.append(Difference("mdn", record["mdn_e164"], person["mdn_e164"] or person["mdn"]))
    wanted, unfit = wanted_custom_fields(record["custom_fields"], policy)
    held = person["custom_fields"] if person["hydrated"] else None
    found += [
        Difference(f"custom_fields.{name}", value, (held or {}).get(name))
        for name, value in differing(wanted, held).items()
    ]
    # Those that cannot be written as they are configured: shown by the CRM's name and with its value.
    found += [Difference(f"custom_fields.{name}", record["custom_fields"][name], None) for name in unfit]
    return found


def has_other_number(record: Row, person: Row) -> bool:
    """Tell whether the person has a number, and the CRM wants another."""
    return bool(record["mdn_e164"] and person["mdn_e164"] and record["mdn_e164"] != person["mdn_e164"])


def removes_number(record: Row) -> bool:
    """Tell whether the CRM said that the person has no number, rather than nothing about it."""
    return record["mdn"] is None and "mdn" in record["field_times"]


def field_names(record: Row, policy: Sync) -> list[str]:
    """Return the names at Vibes of the custom fields the CRM has for the record."""
    wanted, _ = wanted_custom_fields(record["custom_fields"], policy)
    return sorted(wanted)
