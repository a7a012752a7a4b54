"""What the database knows about persons and records of the CRM, as rows ready to be shown.

Every function reads one company. Rows are dictionaries by column; JSON columns are read.
"""

import json
from collections.abc import Collection
from typing import Any
from uuid import UUID

from runtime.postgres import Connection, statement

Row = dict[str, Any]

_JSON_COLUMNS = ("custom_fields", "field_times")


async def find_person_uids(
    connection: Connection,
    company_key: str,
    *,
    external_person_id: str | None = None,
    person_key: str | None = None,
    person_id: str | None = None,
    mdn_e164: str | None = None,
) -> list[UUID]:
    """Return the persons any of these mean, by the mirror."""
    return [
        row["person_uid"]
        for row in await _fetch(
            connection, "find_person_uids", company_key, external_person_id, person_key, person_id, mdn_e164
        )
    ]


async def persons(connection: Connection, company_key: str, uids: Collection[UUID]) -> list[Row]:
    """Return persons as the mirror has them, the one Vibes changed last first."""
    return await _fetch(connection, "show_persons", company_key, list(uids))


async def stays(connection: Connection, company_key: str, uids: Collection[UUID]) -> list[Row]:
    """Return every stay of some persons; `subscribed` tells the current ones."""
    return await _fetch(connection, "show_stays", company_key, list(uids))


async def crm_records(
    connection: Connection,
    company_key: str,
    *,
    external_person_ids: Collection[str] = (),
    mdns_e164: Collection[str] = (),
    person_keys: Collection[str] = (),
) -> list[Row]:
    """Return the records of the CRM with one of these ids or numbers, or bound to one of these persons."""
    return await _fetch(
        connection, "show_crm_persons", company_key, list(external_person_ids), list(mdns_e164), list(person_keys)
    )


async def syncs(connection: Connection, company_key: str, uids: Collection[UUID]) -> list[Row]:
    """Return the rows of the outbox about some persons and records (by `crm_record_uid`)."""
    return await _fetch(connection, "find_syncs", company_key, list(uids))


async def calls(connection: Connection, company_key: str, uids: Collection[UUID], limit: int = 20) -> list[Row]:
    """Return the last calls about some persons and records."""
    return await _fetch(connection, "show_person_api_calls", company_key, list(uids), limit)


async def events(connection: Connection, company_key: str, uids: Collection[UUID], limit: int = 20) -> list[Row]:
    """Return the last events that name some persons by a person_id, which is what the log can be searched by."""
    identities = await _fetch(connection, "find_identities_of_persons", list(uids))
    person_ids = [row["value"] for row in identities if row["kind"] == "person_id"]
    return await _fetch(connection, "show_person_events", company_key, person_ids, limit)


async def _fetch(connection: Connection, name: str, *arguments: object) -> list[Row]:
    return [_row(record.items()) for record in await connection.fetch(statement(name), *arguments)]


def _row(items: Any) -> Row:
    return {name: json.loads(value) if name in _JSON_COLUMNS and value else value for name, value in items}
