"""What a human can do about conflicts. Safe beside workers and other humans, and to do twice.

Each change compares the status in the statement that makes it: a row that is no conflict any more stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from cli.conflicts.naming import Named, find_named
from cli.persons import lookup
from cli.persons.lookup import Row
from cli.printing import moment
from runtime.postgres import Connection, statement

UNKNOWN = "the outbox has no such record of the CRM, and no person with this uid"

_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one argument. `done`: it is as wanted; `changed`: because of this command."""

    argument: str = field(repr=False)
    done: bool
    changed: bool
    note: str = field(default="", repr=False)


async def retry(connection: Connection, company_key: str, arguments: Sequence[str]) -> list[Outcome]:
    """Make the conflicts that are named due now."""
    named = await find_named(connection, company_key, arguments)
    rows = await connection.fetch(statement("retry_conflicts"), company_key, _uids(named), None, None, len(named))
    return await _outcomes(connection, company_key, named, rows_done=[row["person_uid"] for row in rows], as_is="due")


async def retry_all(connection: Connection, company_key: str, status_code: int | None) -> int:
    """Make all conflicts due now, or those with one HTTP status; return how many."""
    until = await connection.fetchval("SELECT now()")
    count = 0
    while True:
        rows = await connection.fetch(statement("retry_conflicts"), company_key, None, status_code, until, _BATCH)
        count += len(rows)
        if len(rows) < _BATCH:
            return count


async def resolve(connection: Connection, company_key: str, arguments: Sequence[str], note: str) -> list[Outcome]:
    """Close the conflicts that are named; they stay so until the record changes."""
    named = await find_named(connection, company_key, arguments)
    rows = await connection.fetch(statement("resolve_conflicts"), company_key, _uids(named), note)
    return await _outcomes(
        connection, company_key, named, rows_done=[row["person_uid"] for row in rows], as_is="resolved"
    )


async def _outcomes(
    connection: Connection, company_key: str, named: Sequence[Named], rows_done: Sequence[UUID], as_is: str
) -> list[Outcome]:
    # As they are now: a worker may have dealt with one since it was found.
    rows = {row["person_uid"]: row for row in await lookup.syncs(connection, company_key, _uids(named))}
    outcomes = []
    for each in named:
        row = rows.get(each.uid) if each.uid else None
        if each.uid in rows_done:
            outcomes.append(Outcome(each.argument, done=True, changed=True))
        elif row is None:
            outcomes.append(failed(each.argument, UNKNOWN))
        elif row["status"] == ("resolved" if as_is == "resolved" else "pending"):
            outcomes.append(Outcome(each.argument, done=True, changed=False, note=f"it is {as_is} already"))
        else:
            outcomes.append(failed(each.argument, why_not(row)))
    return outcomes


def why_not(row: Row) -> str:
    """Say what a row of the outbox is that is no conflict."""
    now = {
        "pending": "it is due now",
        "postponed": f"it waits until {moment(row['next_attempt_at'])} UTC, and then is tried",
        "synced": f"it was synced at {moment(row['finished_at'])} UTC",
        "resolved": f"a human closed it at {moment(row['resolved_at'])} UTC",
    }
    return f"not in conflict: {now.get(row['status'], row['status'])}; vibes-pipeline persons sync has it tried now"


def failed(argument: str, note: str) -> Outcome:
    """Return the outcome of an argument nothing was done about."""
    return Outcome(argument, done=False, changed=False, note=note)


def _uids(named: Sequence[Named]) -> list[UUID]:
    return [each.uid for each in named if each.uid]
