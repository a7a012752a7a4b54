"""Put into the outbox what follows from what was stored, in the transaction that stored it."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from runtime.companies import Company
from runtime.postgres import Connection, statement
from schemas.person_due import PersonDue
from workers.mirror.identity import crm_record_uid

_NO_EVENTS: Mapping[Any, str] = MappingProxyType({})
_LOST_AFTER_SECONDS = 15.0
"""An announced person nobody has dealt with by then was not heard of."""


async def request_writes(
    connection: Connection,
    company: Company,
    external_person_ids: Collection[str],
    *,
    bulk: bool = False,
    changed: bool = True,
    event_ids: Mapping[str, str] = _NO_EVENTS,
) -> None:
    """Have records of the CRM written to Vibes, after the company's delay for further changes.

    `changed` False: the records are what they were, so one that is a conflict stays it. `event_ids`: which events ask
    for them. The sweep of the person workers finds them; nothing is to be published.
    """
    wanted = sorted(set(external_person_ids))
    if not wanted:
        return
    await connection.execute(
        statement("request_crm_syncs"),
        company.company_key,
        wanted,
        [crm_record_uid(company.company_key, external) for external in wanted],
        company.sync.delay_seconds if changed else 0.0,
        bulk,
        not changed,
        [event_ids.get(external) for external in wanted],
    )


async def request_writes_about(
    connection: Connection,
    company: Company,
    person_uids: Collection[UUID],
    *,
    with_profile_only: bool = False,
    event_ids: Mapping[UUID, str] = _NO_EVENTS,
) -> None:
    """Have what the CRM has on some persons written to Vibes, if the company wants that; `event_ids` say which ask."""
    if person_uids and company.sync.push_crm_data:
        rows = await connection.fetch(
            statement("find_crm_records_of_persons"),
            company.company_key,
            list(person_uids),
            with_profile_only,
        )
        records = {row["external_person_id"]: event_ids.get(row["person_uid"]) for row in rows}
        asked = {record: event_id for record, event_id in records.items() if event_id is not None}
        await request_writes(connection, company, records, changed=False, event_ids=asked)


async def request_after_subscription(
    connection: Connection,
    company: Company,
    person_uids: Collection[UUID],
    *,
    announce: int = 1000,
    event_ids: Mapping[UUID, str] = _NO_EVENTS,
) -> list[PersonDue]:
    """Have persons who subscribed read from Vibes, if we know nothing about them, and what the CRM has on them written.

    For a person who has to be read first the latter follows from that. `event_ids`: by which events, as far as they may
    be logged. Returns those to be announced to the person workers, at most `announce`; the sweep finds the others.
    """
    if not person_uids or not company.has_api:
        return []
    hydrate = company.sync.hydrate_unknown_persons
    await request_writes_about(connection, company, person_uids, with_profile_only=hydrate, event_ids=event_ids)
    if not hydrate:
        return []
    rows = await connection.fetch(
        statement("request_person_syncs"),
        company.company_key,
        list(person_uids),
        announce,
        _LOST_AFTER_SECONDS,
        [event_ids.get(person_uid) for person_uid in person_uids],
    )
    return [PersonDue(company.company_key, row["person_uid"]) for row in rows if row["announced"]]
