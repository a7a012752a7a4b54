"""The CRM's side of the demo: changes of persons, sent both ways there are, and what has to be at Vibes in the end."""

import csv
import io
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

CHANGES_EACH = 3
"""Of each person, in any order; the latest counts."""
PERSONS = 300
NEW_PERSONS = 30
"""Persons Vibes does not know."""
REFUSED = 10
"""Persons with a custom field the platform does not have: Vibes answers 422."""
OTHER_NUMBERS = 10
"""Persons with another number than Vibes has: no call can change that."""

_UNKNOWN_FIELD = "shoe_size"
_OUTCOMES = """
SELECT external_person_id, status FROM person_sync
WHERE company_key = $1 AND external_person_id = ANY ($2::text[])
"""

Record = dict[str, Any]


@dataclass(slots=True)
class CrmStory:
    """What the CRM sends, and what is to be expected of it."""

    records: list[Record] = field(default_factory=list)
    """Changes, in the order in which they are sent."""
    wanted: dict[str, dict[str, str]] = field(default_factory=dict)
    """By external id: the custom fields to be found at Vibes in the end; without those who are to be conflicts."""
    conflicts: set[str] = field(default_factory=set)
    """External ids that Vibes has to refuse, or that cannot be made to agree."""

    @property
    def persons(self) -> set[str]:
        """Everybody who is changed."""
        return self.wanted.keys() | self.conflicts


def make_story(held: Iterable[Mapping[str, Any]], seed: int = 1) -> CrmStory:
    """Make up changes for persons the simulator holds (lines of /_simulator/mobiledb), and for a few it does not."""
    rng = random.Random(seed)  # noqa: S311 - a story, not a secret
    known = [person for person in held if person["kind"] == "person" and person["external_person_id"] and person["mdn"]]
    chosen = rng.sample(known, min(PERSONS, len(known)))
    story = CrmStory()
    now = datetime.now(UTC)
    for place, person in enumerate(chosen):
        external = person["external_person_id"]
        refused, other_number = place < REFUSED, REFUSED <= place < REFUSED + OTHER_NUMBERS
        mdn = f"+1303555{place:04d}" if other_number else person["mdn"]
        _tell(story, external, mdn, now, {_UNKNOWN_FIELD: "43"} if refused else {})
        if refused or other_number:
            story.conflicts.add(external)
            del story.wanted[external]
    for number in range(NEW_PERSONS):
        _tell(story, f"crm/new {number}", f"+1312555{number:04d}", now, {})
    rng.shuffle(story.records)
    return story


def as_csv(records: Sequence[Record]) -> str:
    """Return records as a file for `vibes-pipeline persons import`."""
    names = sorted({f"custom_fields.{name}" for record in records for name in record["custom_fields"]})
    text = io.StringIO()
    rows = csv.DictWriter(text, ["external_person_id", "mdn", "updated_at", *names], restval="")
    rows.writeheader()
    for record in records:
        fields = {f"custom_fields.{name}": value for name, value in record["custom_fields"].items()}
        rows.writerow({name: value for name, value in record.items() if name != "custom_fields"} | fields)
    return text.getvalue()


async def outcomes(database_url: str, company_key: str, persons: Iterable[str]) -> dict[str, str]:
    """Return the state of each record's sync, by external id."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(_OUTCOMES, company_key, sorted(persons))
    finally:
        await connection.close()
    return {row["external_person_id"]: row["status"] for row in rows}


def disagreements(story: CrmStory, held: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the external ids of those whose latest fields are not at Vibes."""
    at_vibes = {person["external_person_id"]: person["custom_fields"] for person in held if person["kind"] == "person"}
    return [
        external
        for external, fields in story.wanted.items()
        if not fields.items() <= (at_vibes.get(external) or {}).items()
    ]


def _tell(story: CrmStory, external: str, mdn: str, now: datetime, more: dict[str, str]) -> None:
    for number in range(CHANGES_EACH):
        fields = {"first_name": f"Name {number}", "Home_Zip": f"6060{number}", **more}
        moment = now - timedelta(seconds=CHANGES_EACH - number)
        story.records.append(
            {"external_person_id": external, "mdn": mdn, "updated_at": moment.isoformat(), "custom_fields": fields}
        )
        story.wanted[external] = fields
