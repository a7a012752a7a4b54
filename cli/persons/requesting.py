"""Ask the person workers for syncs, ahead of imports and without a delay. Their sweep finds what is asked for here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cli.persons import lookup
from runtime.companies import Company
from runtime.postgres import Connection, statement
from workers.mirror.identity import crm_record_uid
from workers.sync_requests import request_writes

_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, by the database's clock."""

    count: int
    since: datetime
    uids: tuple[UUID, ...] | None
    """Whom it is about; None: all that were waiting."""


async def known_records(connection: Connection, company_key: str, external_person_ids: Collection[str]) -> set[str]:
    """Return those of the external ids the CRM has records of."""
    rows = await lookup.crm_records(connection, company_key, external_person_ids=external_person_ids)
    return {row["external_person_id"] for row in rows}


async def ask_for_records(connection: Connection, company: Company, external_person_ids: Sequence[str]) -> Asked:
    """Have records of the CRM written to Vibes now; a conflict is tried again."""
    key = company.company_key
    uids = [crm_record_uid(key, external) for external in external_person_ids]
    async with connection.transaction():
        since = await connection.fetchval("SELECT now()")
        await request_writes(connection, company, external_person_ids)
        await connection.execute(statement("hasten_syncs"), key, uids)
    return Asked(len(uids), since, tuple(uids))


async def ask_for_all_waiting(connection: Connection, company_key: str) -> Asked:
    """Have everything that was put off tried now: what failed for now, and what waits for further changes."""
    since = await connection.fetchval("SELECT now()")
    count = 0
    while True:
        rows = await connection.fetch(statement("hasten_postponed_syncs"), company_key, since, _BATCH)
        count += len(rows)
        if len(rows) < _BATCH:
            return Asked(count, since, None)
