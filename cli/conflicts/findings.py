"""What is known about one conflict."""

from dataclasses import dataclass
from uuid import UUID

from cli.conflicts.advice import Advice, Situation, advise
from cli.conflicts.comparison import Difference, compare, field_names, has_other_number
from cli.conflicts.kinds import kind_of
from cli.conflicts.naming import label
from cli.persons import lookup
from cli.persons.lookup import Row
from runtime.companies import Company
from runtime.postgres import Connection

BOUND = "bound"
"""The record was written to this person last."""
WITH_EXTERNAL_ID = "external_id"
WITH_NUMBER = "number"
ITSELF = "to_be_read"

_CALLS = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person at Vibes the conflict may be about, and why."""

    person: Row
    roles: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def id(self) -> str:
        """Vibes' id of the person."""
        return str(self.person["person_key"] or self.person["person_id"])


@dataclass(frozen=True, slots=True)
class Findings:
    """A row of the outbox with all that explains it."""

    sync: Row
    record: Row | None
    candidates: tuple[Candidate, ...]
    calls: tuple[Row, ...]
    advice: Advice


async def find_out(connection: Connection, company: Company, sync: Row) -> Findings:
    """Gather what is known about the row of the outbox."""
    key, external = company.company_key, sync["external_person_id"]
    records = await lookup.crm_records(connection, key, external_person_ids=[external]) if external else []
    record = records[0] if records else None
    roles = await _roles(connection, key, sync, record)
    persons = {row["person_uid"]: row for row in await lookup.persons(connection, key, list(roles))}
    candidates = tuple(
        Candidate(
            persons[uid],
            tuple(why),
            tuple(compare(record, persons[uid], company.sync)) if record else (),
        )
        for uid, why in roles.items()
        if uid in persons
    )
    calls = await lookup.calls(connection, key, [sync["person_uid"]], _CALLS)
    situation = situate(company, sync, record, candidates)
    kind = kind_of(sync["last_error"], sync["last_status"], sync["last_message"])
    return Findings(sync, record, candidates, tuple(calls), advise(kind, situation))


def situate(company: Company, sync: Row, record: Row | None, candidates: tuple[Candidate, ...]) -> Situation:
    """Return what the advice depends on. Pure."""
    # Bound comes first, so this is the person the record means as far as anybody knows.
    meant = next((each for each in candidates if BOUND in each.roles or WITH_EXTERNAL_ID in each.roles), None)
    others = [each for each in candidates if each is not meant]
    bound = next((each for each in candidates if BOUND in each.roles), None)
    return Situation(
        argument=label(sync),
        company_key=company.company_key,
        message=sync["last_message"] or "",
        bound_to=bound.id if bound else None,
        with_external_id=tuple(each.id for each in others if WITH_EXTERNAL_ID in each.roles),
        with_number=tuple(each.id for each in others if WITH_NUMBER in each.roles),
        number_differs=bool(record and meant and has_other_number(record, meant.person)),
        custom_fields=field_names(record, company.sync) if record else (),
    )


async def _roles(connection: Connection, key: str, sync: Row, record: Row | None) -> dict[UUID, list[str]]:
    """Return the persons to look at, the one the record is bound to first."""
    roles: dict[UUID, list[str]] = {}
    if sync["external_person_id"] is None:
        return {sync["person_uid"]: [ITSELF]}
    if record is None:
        return roles
    asked = (
        (BOUND, {"person_key": record["person_key"], "person_id": record["person_id"]}),
        (WITH_EXTERNAL_ID, {"external_person_id": record["external_person_id"]}),
        (WITH_NUMBER, {"mdn_e164": record["mdn_e164"]}),
    )
    for role, ids in asked:
        for uid in await lookup.find_person_uids(connection, key, **ids):
            roles.setdefault(uid, []).append(role)
    return roles
