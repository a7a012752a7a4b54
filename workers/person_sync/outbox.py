"""The outbox in the database: what is due, what is known and wanted of a person, and what became of it.

All functions raise what asyncpg raises. `executor` is a pool or a connection.
"""

import json
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from runtime.postgres import Connection, Pool, statement
from schemas.errors import MessageError
from schemas.facts import PersonIdentity
from schemas.person_due import PersonDue
from workers.person_sync.state import CrmPerson, KnownPerson, SyncState

Executor: TypeAlias = "Pool | Connection"

SYNCED = "synced"
CONFLICT = "conflict"

LOOK_AGAIN_SECONDS = 5.0
"""When the sweep looks after a person whose lock somebody else holds."""

_WHOLE_MESSAGE = -1
"""Position of a dead letter that is a broker message as a whole."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed, fit for person_sync: no personal data."""

    error: str
    status: int | None = None
    """HTTP status, when an answer came."""


async def load(executor: Executor, due: PersonDue) -> SyncState | None:
    """Read everything about a person's sync at one moment; None when the outbox has no such row."""
    row = await executor.fetchrow(statement("person_sync_load"), due.company_key, due.person_uid)
    if row is None:
        return None
    return SyncState(
        desired_version=row["desired_version"],
        synced_version=row["synced_version"],
        attempts=row["attempts"],
        due=row["due"],
        person=_known_person(row),
        crm=_crm_person(row),
    )


async def finish(
    executor: Executor, due: PersonDue, state: SyncState, status: str, failure: Failure | None = None
) -> bool:
    """Record that what was wanted in `state` is dealt with; the row stays due if more was asked for meanwhile.

    Does nothing, and returns False, when somebody else has dealt with the person since `state` was read.
    """
    error, http_status = (failure.error, failure.status) if failure else (None, None)
    return bool(
        await executor.fetchval(
            statement("person_sync_finish"),
            due.company_key,
            due.person_uid,
            state.synced_version,
            state.desired_version,
            status,
            error,
            http_status,
        )
    )


async def postpone(
    executor: Executor,
    due: PersonDue,
    state: SyncState | None,
    seconds: float,
    failure: Failure,
    *,
    counts: bool = True,
) -> bool:
    """Let the person be due again in `seconds`; `counts`: as a failed attempt. Returns as `finish` does.

    `state` None: it could not be read.
    """
    return bool(
        await executor.fetchval(
            statement("person_sync_postpone"),
            due.company_key,
            due.person_uid,
            state.synced_version if state else None,
            seconds,
            int(counts),
            failure.error,
            failure.status,
        )
    )


async def is_pending(executor: Executor, due: PersonDue) -> bool:
    """Tell whether the person is due now."""
    return bool(await executor.fetchval(statement("person_sync_is_pending"), due.company_key, due.person_uid))


async def look_again_soon(executor: Executor, due: PersonDue) -> None:
    """Have the sweep look after a due person in a few seconds, should whoever holds their lock not come to an end."""
    await executor.execute(statement("person_sync_look_again"), due.company_key, due.person_uid, LOOK_AGAIN_SECONDS)


async def take_due(executor: Executor, limit: int, again_seconds: float) -> list[PersonDue]:
    """Return persons that are due, the longest waiting first; for `again_seconds` no other sweep returns them."""
    rows = await executor.fetch(statement("person_sync_sweep"), limit, again_seconds)
    return [PersonDue(row["company_key"], row["person_uid"]) for row in rows]


async def set_aside(executor: Executor, body: bytes, message_id: UUID, problem: MessageError) -> None:
    """Keep a message of the queue that is none of ours."""
    row = (None, "dead_lettered", "person-sync", problem.reason, problem.detail or None, body)
    rest = (None, None, None, None, None, None, "{}", message_id, _WHOLE_MESSAGE)
    await executor.execute(statement("insert_dead_letters"), *([value] for value in (*row, *rest)))


def _known_person(row: asyncpg.Record) -> KnownPerson | None:
    if not (row["person_id"] or row["person_key"]):
        return None
    return KnownPerson(
        identity=PersonIdentity(row["person_id"], row["person_key"]),
        hydrated=row["hydrated"],
        external_person_id=row["external_person_id"],
        mdn=row["mdn"],
        mdn_e164=row["mdn_e164"],
        custom_fields=_object(row["custom_fields"]),
    )


def _crm_person(row: asyncpg.Record) -> CrmPerson | None:
    if row["crm_external_person_id"] is None:
        return None
    return CrmPerson(
        external_person_id=row["crm_external_person_id"],
        mdn_e164=row["crm_mdn_e164"],
        carrier_code=row["crm_carrier_code"],
        custom_fields=_object(row["crm_custom_fields"]),
    )


def _object(text: str | None) -> dict[str, Any]:
    # Not orjson: a number too long for it would lose digits here, and be written to Vibes like that.
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}
