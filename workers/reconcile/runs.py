"""How far a run is: its row in the database. All functions raise what asyncpg raises."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from runtime.postgres import Pool, statement
from schemas.errors import ServiceError
from workers.reconcile.drift import Kind
from workers.reconcile.targets import Cursor, Options


@dataclass(slots=True)
class Tally:
    """What a run has found so far."""

    persons: int = 0
    calls: int = 0
    failed: int = 0
    found: Counter[Kind] = field(default_factory=Counter)
    repaired: Counter[Kind] = field(default_factory=Counter)

    @property
    def remaining(self) -> int:
        """Differences that were found and not repaired."""
        return self.found.total() - self.repaired.total()


@dataclass(slots=True)
class Run:
    """One run."""

    run_id: UUID
    started_at: datetime
    resumed: bool = False
    finished: bool = False
    cursor: Cursor = field(default_factory=Cursor)
    tally: Tally = field(default_factory=Tally)

    @property
    def event_id(self) -> str:
        """What stands for an event_id in what the run repairs."""
        return f"reconcile:{self.run_id}"


def new_run() -> Run:
    """Return a run that is not kept anywhere."""
    return Run(uuid4(), datetime.now(UTC))


async def begin(pool: Pool, company_key: str, options: Options, *, restart: bool) -> Run:
    """Carry on the unfinished run of these options, or begin one; `restart`: begin one anyway."""
    told = json.dumps(options.to_json())
    async with pool.acquire() as connection, connection.transaction():
        if restart:
            await connection.execute(statement("reconcile_abandon_runs"), company_key, told)
        row = await connection.fetchrow(statement("reconcile_find_run"), company_key, told)
        if row is not None:
            return Run(
                run_id=row["run_id"],
                started_at=row["started_at"],
                resumed=True,
                cursor=Cursor(row["after_uid"], row["after_record"]),
                tally=Tally(
                    row["persons"], row["calls"], row["failed"], _counter(row["found"]), _counter(row["repaired"])
                ),
            )
        run = new_run()
        await connection.execute(statement("reconcile_begin_run"), run.run_id, company_key, told, run.started_at)
        return run


async def save(pool: Pool, run: Run) -> None:
    """Keep how far the run is."""
    tally = run.tally
    await pool.execute(
        statement("reconcile_save_run"),
        run.run_id,
        run.cursor.after_uid,
        run.cursor.after_record,
        tally.persons,
        tally.calls,
        _counted(tally.found),
        _counted(tally.repaired),
        tally.failed,
        run.finished,
    )


@asynccontextmanager
async def alone(pool: Pool, company_key: str) -> AsyncIterator[None]:
    """Be the only run of the company for the block. Raises ServiceError when there is another.

    Two would do no harm but for asking Vibes everything twice.
    """
    key = f"reconcile:{company_key}"
    async with pool.acquire() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", key):
            raise ServiceError(f"company {company_key} is being reconciled already; let that run come to its end")
        try:
            yield
        finally:
            # One that is lost with its connection is free anyway.
            if not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", key)


def _counter(text: str) -> Counter[Kind]:
    return Counter({Kind(kind): number for kind, number in json.loads(text).items()})


def _counted(counter: Mapping[Kind, int]) -> str:
    return json.dumps({kind.value: number for kind, number in counter.items()})
