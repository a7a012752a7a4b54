"""Do what the policy says, once; or tell what would be done."""

import asyncio
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from runtime.postgres import Connection
from schemas.errors import ServiceError
from workers.maintenance import partitions, pruning
from workers.maintenance.plan import Action, Step, old_months_end, steps
from workers.maintenance.policy import Policy, before

_LOCK_KEY = 7_214_356_917_040
"""Any number will do, as long as all releases use the same."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, or would be. `rows` are those removed, `bytes` what the partition took before."""

    action: str
    table: str
    partition: str | None
    month: str | None
    rows: int
    bytes: int
    problem: str | None = None


async def maintain(
    connection: Connection, policy: Policy, now: datetime, stop: asyncio.Event, *, dry_run: bool
) -> AsyncIterator[Done]:
    """Yield each thing as it is done. Whatever ends it, what was yielded is done, and the next time does the rest.

    New months come first: they cannot wait. Outcomes of callbacks go before the events they tell of, so that no audit
    misses one of those it looks up. Raises ServiceError when another one is under way, and what asyncpg raises.
    """
    async with _alone(connection):
        changed = False
        # What is made for stray rows may be old, and is then dealt with at once.
        async for done in _months(connection, {Action.CREATE}, policy, now, stop, dry_run=dry_run):
            changed = changed or done.problem is None
            yield done
        async for done in _prune(connection, policy, now, stop, dry_run=dry_run):
            yield done
        async for done in _months(connection, {Action.THIN, Action.DROP}, policy, now, stop, dry_run=dry_run):
            changed = changed or done.problem is None
            yield done
        if changed and not dry_run:
            await connection.execute("SELECT grant_access()")


async def _months(
    connection: Connection,
    actions: Set[Action],
    policy: Policy,
    now: datetime,
    stop: asyncio.Event,
    *,
    dry_run: bool,
) -> AsyncIterator[Done]:
    for table in partitions.TABLES:
        for step in await _steps(connection, table, policy, now, actions):
            if stop.is_set():
                return
            yield await _deal_with(connection, step, dry_run=dry_run)


async def _steps(connection: Connection, table: str, policy: Policy, now: datetime, actions: Set[Action]) -> list[Step]:
    months = await partitions.read_months(connection, table)
    planned = steps(table, months, await partitions.read_stray(connection, table), policy, now)
    return [
        step
        for step in planned
        if step.action in actions
        and (step.action is not Action.THIN or await partitions.has_bodies(connection, step.partition or ""))
    ]


async def _deal_with(connection: Connection, step: Step, *, dry_run: bool) -> Done:
    rows, problem = 0, None
    try:
        if not dry_run:
            rows = await partitions.take(connection, step)
        elif step.action is not Action.CREATE:
            rows = await partitions.count_rows(connection, step)
    except partitions.InUseError:
        problem = "in use all the time; left for the next time"
    return Done(step.action, step.table, step.partition, f"{step.month:%Y-%m}", rows, step.bytes, problem)


async def _prune(
    connection: Connection, policy: Policy, now: datetime, stop: asyncio.Event, *, dry_run: bool
) -> AsyncIterator[Done]:
    bodies = old_months_end(now, policy.bodies)
    cutoffs = dict(zip(pruning.TABLES, (before(now, policy.ledger), bodies, bodies), strict=True))
    for table, cutoff in cutoffs.items():
        if cutoff is None or stop.is_set():
            continue
        rows = await (
            pruning.count(connection, table, cutoff) if dry_run else pruning.prune(connection, table, cutoff, stop)
        )
        if rows:
            yield Done("prune", table, None, None, rows, 0)


@asynccontextmanager
async def _alone(connection: Connection) -> AsyncIterator[None]:
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK_KEY):
        raise ServiceError("another vibes-pipeline maintain is under way on this database")
    try:
        yield
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK_KEY)
