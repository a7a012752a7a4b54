"""The outbox in the database: what is due, what is known and wanted of a person, and what became of it.

All functions raise what asyncpg raises. `executor` is a pool or a connection.
"""

from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from runtime.postgres import Connection, Pool, statement
from schemas.errors import MessageError
from schemas.facts import PersonIdentity
from schemas.person_due import PersonDue
from vibes_api import VibesError
from workers.person_sync.rows import crm_record, known_person
from workers.person_sync.state import SyncState

Executor: TypeAlias = "Pool | Connection"

SYNCED = "synced"
CONFLICT = "conflict"

LOOK_AGAIN_SECONDS = 5.0
"""When the sweep looks after a person whose lock somebody else holds."""

STAGE = "person-sync"
"""Where messages of the queue that are none of ours were set aside, as dead letters say."""
_WHOLE_MESSAGE = -1
"""Position of a dead letter that is a broker message as a whole."""


_LONGEST_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed."""

    error: str
    """In our words and Vibes' codes; no personal data."""
    status: int | None = None
    """HTTP status, when an answer came."""
    route: str | None = None
    """Method and path of the call, its ids left out."""
    message: str | None = field(default=None, repr=False)
    """What Vibes said; may hold personal data."""


def failure_of(error: VibesError) -> Failure:
    """Return what the outbox keeps of a call that failed."""
    said = "; ".join(each.message for each in error.errors if each.message)
    return Failure(str(error), error.status, error.route, said.replace("\x00", "\ufffd")[:_LONGEST_MESSAGE] or None)


async def load(executor: Executor, due: PersonDue) -> SyncState | None:
    """Read everything about a row of the outbox at one moment; None when there is no such row."""
    rows = await executor.fetch(statement("person_sync_load"), due.company_key, due.person_uid)
    if not rows:
        return None
    row = rows[0]
    return SyncState(
        desired_version=row["desired_version"],
        synced_version=row["synced_version"],
        attempts=row["attempts"],
        due=row["due"],
        bulk=row["bulk"],
        event_id=row["event_id"],
        external_person_id=row["record_id"],
        record=crm_record(row) if row["has_record"] else None,
        persons=tuple(known_person(row) for row in rows if row["person_id"] or row["person_key"]),
    )


async def finish(
    executor: Executor,
    due: PersonDue,
    state: SyncState,
    status: str,
    failure: Failure | None = None,
    delay_seconds: float = 0.0,
) -> bool:
    """Record that what was wanted in `state` is dealt with.

    If more was asked for meanwhile the row stays due: a record to be written, after `delay_seconds`. Does nothing, and
    returns False, when somebody else has dealt with the row since `state` was read.
    """
    return bool(
        await executor.fetchval(
            statement("person_sync_finish"),
            due.company_key,
            due.person_uid,
            state.synced_version,
            state.desired_version,
            status,
            *_columns(failure),
            delay_seconds,
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
            *_columns(failure),
        )
    )


async def is_pending(executor: Executor, due: PersonDue) -> bool:
    """Tell whether the person is due now."""
    return bool(await executor.fetchval(statement("person_sync_is_pending"), due.company_key, due.person_uid))


async def look_again_soon(executor: Executor, due: PersonDue) -> None:
    """Have the sweep look after a due person in a few seconds, should whoever holds their lock not come to an end."""
    await executor.execute(statement("person_sync_look_again"), due.company_key, due.person_uid, LOOK_AGAIN_SECONDS)


async def bind(executor: Executor, company_key: str, external_person_id: str, person: PersonIdentity) -> None:
    """Remember which person at Vibes a record of the CRM was written to."""
    await executor.execute(
        statement("bind_crm_person"), company_key, external_person_id, person.person_id, person.person_key
    )


async def take_due(executor: Executor, limit: int, again_seconds: float, *, bulk: bool) -> list[PersonDue]:
    """Return rows that are due, the longest waiting first; for `again_seconds` no other sweep returns them.

    `bulk`: those an import asked for, else the others.
    """
    rows = await executor.fetch(statement("person_sync_sweep"), limit, again_seconds, bulk)
    return [PersonDue(row["company_key"], row["person_uid"]) for row in rows]


async def set_aside(executor: Executor, body: bytes, message_id: UUID, problem: MessageError) -> None:
    """Keep a message of the queue that is none of ours."""
    row = (None, "dead_lettered", STAGE, problem.reason, problem.detail or None, body)
    rest = (None, None, None, None, None, None, "{}", message_id, _WHOLE_MESSAGE)
    await executor.execute(statement("insert_dead_letters"), *([value] for value in (*row, *rest)))


def _columns(failure: Failure | None) -> tuple[str | None, int | None, str | None, str | None]:
    if failure is None:
        return (None, None, None, None)
    return (failure.error, failure.status, failure.route, failure.message)
