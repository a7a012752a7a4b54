"""The current state of a person: deleted in one transaction, together with the tombstones that keep it deleted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from runtime.postgres import Connection, statement
from workers.erasure.identifiers import Identifiers, tombstone
from workers.erasure.nullification import NULLIFIED, AtVibes
from workers.erasure.request import add_count
from workers.erasure.search import expand, uncontested

_LOCK_SECONDS = 30
_UNTOLD = timedelta(minutes=5)
"""Vibes did not tell when it changed the person: its own account of that may be dated by a clock ahead of ours."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What is left to do after the current state is gone."""

    person: Identifiers
    """By what the person is found in what was received: without the numbers and external ids others have, too."""
    erased_at: datetime
    counts: dict[str, int]


async def delete_state(
    connection: Connection, company_key: str, erasure_id: UUID, person: Identifiers, vibes: AtVibes
) -> Deleted:
    """Delete the person, put up the tombstones and record both. Inside a transaction of the caller's.

    Holds the company's identities alone: who applies an event shares them, so each event is either applied before, and
    deleted here, or meets the tombstone. A handful of rows, so nobody waits for long. Raises what asyncpg raises.
    """
    await connection.execute("SELECT set_config('lock_timeout', $1, true)", f"{_LOCK_SECONDS}s")
    await connection.execute(statement("lock_identities"), [company_key], True)
    person = await expand(connection, company_key, person)
    known = await uncontested(connection, company_key, person)
    row = await connection.fetchrow(
        statement("erasure_delete_state"),
        company_key,
        list(person.person_uids),
        list(person.crm_records),
        person.record_uids(company_key),
    )
    assert row is not None  # noqa: S101 - the statement always returns a row
    counts = dict(row)
    slack = _UNTOLD if vibes.outcome == NULLIFIED and vibes.updated_at is None else timedelta()
    erased_at = await connection.fetchval(
        statement("erasure_nullified"), erasure_id, vibes.outcome, vibes.updated_at, slack, known.to_json()
    )
    for table, number in counts.items():
        await add_count(connection, erasure_id, table, number)
    hashes = {tombstone(company_key, identity) for identity in known.identities()}
    await connection.execute(
        statement("erasure_insert_tombstones"), company_key, sorted(hashes, key=str), erased_at, erasure_id
    )
    return Deleted(known, erased_at, counts)
