"""Runs: what somebody asked for, and how far it is. All functions raise what asyncpg raises."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from runtime.postgres import Connection, Pool, statement
from schemas.errors import ServiceError
from workers.replay.letters import Filter
from workers.replay.results import Outcome

REPLAY, DISCARD = "replay", "discard"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    action: str
    requested_by: str
    wanted: Filter
    note: str | None = None
    remove_body: bool = False
    rate: float | None = None
    """Letters a second at most; None: no limit."""


@dataclass(slots=True)
class Run:
    """One run."""

    request: Request
    up_to_id: int
    """The last letter there was when it was begun."""
    total: int
    """How many letters it was about then."""
    run_id: UUID = field(default_factory=uuid4)
    started_at: datetime | None = None
    """None: it is not kept."""
    resumed: bool = False
    finished: bool = False
    after_id: int = 0
    """The cursor: all letters up to this id are dealt with."""
    counts: Counter[Outcome] = field(default_factory=Counter)


async def begin(pool: Pool, run: Run) -> None:
    """Keep a new run."""
    request = run.request
    run.started_at = await pool.fetchval(
        statement("dead_letters_run_begin"),
        run.run_id,
        request.action,
        request.requested_by,
        request.note,
        request.wanted.to_json(),
        request.remove_body,
        request.rate,
        run.up_to_id,
        run.total,
    )


async def load(executor: "Connection | Pool", run_id: UUID) -> Run:
    """Return a run. Raises ServiceError when there is none."""
    rows = await executor.fetch(statement("dead_letters_runs"), run_id, 1)
    if not rows:
        raise ServiceError(f"there is no run {run_id}: `vibes-pipeline dead-letters runs` lists them")
    return _run(dict(rows[0]))


async def list_runs(executor: "Connection | Pool", limit: int) -> list[Run]:
    """Return the latest runs."""
    return [_run(dict(row)) for row in await executor.fetch(statement("dead_letters_runs"), None, limit)]


async def save(connection: Connection, run: Run, after_id: int) -> None:
    """Keep how far a run is, in the transaction that brought it there."""
    await connection.execute(statement("dead_letters_run_save"), run.run_id, after_id)


async def finish(pool: Pool, run: Run) -> None:
    """Keep that all letters of a run are dealt with."""
    await pool.execute(statement("dead_letters_run_finish"), run.run_id)
    run.finished = True


@asynccontextmanager
async def alone(pool: Pool, run: Run) -> AsyncIterator[None]:
    """Be the only one who is at a run. Raises ServiceError when somebody else is."""
    key = int.from_bytes(run.run_id.bytes[:8], "big", signed=True)
    async with pool.acquire() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", key):
            raise ServiceError(f"another process is at run {run.run_id} now")
        try:
            yield
        finally:
            # One that is lost with its connection is free anyway.
            if not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock($1)", key)


def _run(row: Mapping[str, Any]) -> Run:
    return Run(
        request=Request(
            row["action"],
            row["requested_by"],
            Filter.from_json(row["filter"]),
            row["note"],
            row["remove_body"],
            row["rate"],
        ),
        up_to_id=row["up_to_id"],
        total=row["total"],
        run_id=row["run_id"],
        started_at=row["started_at"],
        resumed=True,
        finished=row["status"] == "finished",
        after_id=row["after_id"],
        counts=Counter({Outcome(name): count for name, count in json.loads(row["counts"]).items()}),
    )
