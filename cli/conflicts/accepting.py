"""A human says which person at Vibes a record of the CRM means."""

from cli.conflicts.decisions import UNKNOWN, Outcome, failed, why_not
from cli.conflicts.naming import find_named
from cli.persons import lookup
from cli.persons.lookup import Row
from runtime.companies import Company
from runtime.postgres import Connection, statement
from schemas.person_due import PersonDue
from workers.person_sync import outbox
from workers.person_sync.whom import Moved, whom


class _RefusedError(Exception):
    """It cannot be accepted; the text says why."""


async def accept_person(connection: Connection, company: Company, argument: str, person_key: str, note: str) -> Outcome:
    """Bind the record that is named to a person at Vibes, and have it written to them now."""
    key = company.company_key
    (named,) = await find_named(connection, key, [argument])
    if named.row is None:
        return failed(argument, UNKNOWN)
    external = named.row["external_person_id"]
    if external is None:
        return failed(argument, "it is a person to be read from Vibes; only a record of the CRM can be bound to one")
    person = await _person(connection, key, person_key)
    if person is None:
        return failed(
            argument,
            "--accept-person: the mirror has no person with this key; to read it from Vibes: "
            f"vibes-pipeline persons sync --person-key KEY --company {key}",
        )
    due = PersonDue(key, named.row["person_uid"])
    try:
        async with connection.transaction():
            # The record first, as whoever applies its changes does: no two wait for each other in a circle.
            await connection.execute(
                statement("bind_crm_person"), key, external, person["person_id"], person["person_key"]
            )
            await _make_due(connection, due, note)
    except _RefusedError as refused:
        return failed(argument, str(refused))
    return Outcome(argument, done=True, changed=True, note=await _shared(connection, key, external, person))


async def _make_due(connection: Connection, due: PersonDue, note: str) -> None:
    state = await outbox.load(connection, due)
    if state is None or state.record is None:
        raise _RefusedError("the CRM has no such record any more")
    # The worker's own rule, so that it does not come to another conclusion.
    meant = whom(state.record, state.persons)
    if isinstance(meant, Moved):
        raise _RefusedError(
            f"it would be a conflict again: {meant.what}. First give the external id to the person of --accept-person, "
            "in the platform"
        )
    if not await connection.fetchval(statement("accept_conflict"), due.company_key, due.person_uid, note):
        rows = await lookup.syncs(connection, due.company_key, [due.person_uid])
        raise _RefusedError(why_not(rows[0]) if rows else UNKNOWN)


async def _person(connection: Connection, company_key: str, person_key: str) -> Row | None:
    """Return the person of that person_key, or of that person_id, which Vibes takes in the same places."""
    uids = await lookup.find_person_uids(connection, company_key, person_key=person_key)
    uids = uids or await lookup.find_person_uids(connection, company_key, person_id=person_key)
    found = await lookup.persons(connection, company_key, uids)
    return found[0] if found else None


async def _shared(connection: Connection, company_key: str, external: str, person: Row) -> str:
    """Warn of other records that are written to the same person."""
    key = person["person_key"]
    records = await lookup.crm_records(connection, company_key, person_keys=[key] if key else [])
    others = [row["external_person_id"] for row in records if row["external_person_id"] != external]
    return f"beware: other records are bound to the same person: {', '.join(others)}" if others else ""
