"""The record of requests to erase: what is to be done, how far it is, and in the end that it was done."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from runtime.postgres import Connection, statement
from workers.erasure.identifiers import Identifiers

REQUESTED = "requested"
ERASED_STATE = "nullified"
DONE = "done"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One row of `erasures`."""

    erasure_id: UUID
    company_key: str
    local_only: bool
    status: str
    vibes_outcome: str | None
    erased_at: datetime | None
    counts: dict[str, int]
    person: Identifiers = field(repr=False)
    """Empty when it is done."""


async def record_request(
    connection: Connection,
    erasure_id: UUID,
    company_key: str,
    person: Identifiers,
    reason: str | None,
    *,
    local_only: bool,
) -> None:
    """Record a request, so that it can be carried on with whatever happens. Raises what asyncpg raises."""
    await connection.execute(
        statement("erasure_request"), erasure_id, company_key, reason, local_only, person.to_json()
    )


async def load(connection: Connection, erasure_id: UUID) -> Erasure | None:
    """Read a request; None when there is no such one."""
    row = await connection.fetchrow(statement("erasure_load"), erasure_id)
    return None if row is None else _read(dict(row))


async def list_unfinished(connection: Connection, company_key: str) -> list[Erasure]:
    """Return what is not done of a company's requests, oldest first."""
    return [_read(dict(row)) for row in await connection.fetch(statement("erasure_list_unfinished"), company_key)]


async def keep_identifiers(connection: Connection, erasure_id: UUID, person: Identifiers) -> None:
    """Write down by what else the person is known."""
    await connection.execute(statement("erasure_keep_identifiers"), erasure_id, person.to_json())


async def record_failure(connection: Connection, erasure_id: UUID, why: str) -> None:
    """Write down why it could not be done for now; without personal data."""
    await connection.execute(statement("erasure_fail"), erasure_id, why)


async def add_count(connection: Connection, erasure_id: UUID, table: str, rows: int) -> None:
    """Add to what was erased of a table."""
    if rows:
        await connection.execute(statement("erasure_count"), erasure_id, table, rows)


async def finish(connection: Connection, erasure_id: UUID) -> None:
    """Record that everything is done, and forget who it was."""
    await connection.execute(statement("erasure_done"), erasure_id)


def _read(row: dict[str, Any]) -> Erasure:
    return Erasure(
        erasure_id=row["erasure_id"],
        company_key=row["company_key"],
        local_only=row["local_only"],
        status=row["status"],
        vibes_outcome=row["vibes_outcome"],
        erased_at=row["erased_at"],
        counts=json.loads(row["counts"]),
        person=Identifiers.from_json(row["identifiers"]) if row["identifiers"] else Identifiers(),
    )
