"""Read which partitions there are; make, thin and drop them. Nobody else waits longer than half a second."""

from datetime import date

import asyncpg

from runtime.postgres import Connection
from workers.maintenance.plan import Action, Month, Step

TABLES = {"callback_events": "received_at", "person_api_calls": "called_at"}
"""The partitioned tables, and the column that tells the month of a row."""
_TRIES = 30
"""About three quarters of a minute, of which a third is spent waiting for the table, with others behind."""


class InUseError(Exception):
    """A partition was in use all the time; it is left as it is, for the next time."""


async def read_months(connection: Connection, table: str) -> list[Month]:
    """Return the monthly partitions of a table."""
    rows = await connection.fetch(
        "SELECT partition::text, range_begin, range_end, bytes FROM month_partitions($1::text::regclass)", table
    )
    return [Month(table, row["partition"], row["range_begin"], row["range_end"], row["bytes"]) for row in rows]


async def read_stray(connection: Connection, table: str) -> list[date]:
    """Return the months of the rows in a table's default partition."""
    column = TABLES[table]
    rows = await connection.fetch(
        f"SELECT DISTINCT date_trunc('month', {column}, 'UTC') AS month FROM {table}_default"  # noqa: S608 - names of ours
    )
    return [row["month"].date() for row in rows]


async def has_bodies(connection: Connection, partition: str) -> bool:
    """Tell whether there is anything in a partition of the log that is not to outlive its bodies."""
    found: bool = await connection.fetchval(
        f"SELECT EXISTS (SELECT FROM {partition} WHERE NOT outlives_bodies(callback_type))"  # noqa: S608 - as PostgreSQL named it
    )
    return found


async def count_rows(connection: Connection, step: Step) -> int:
    """Return how many rows a step removes. Reads the partition."""
    what = "TRUE" if step.action is Action.DROP else "NOT outlives_bodies(callback_type)"
    rows: int = await connection.fetchval(
        f"SELECT count(*) FROM {step.partition} WHERE {what}"  # noqa: S608 - as PostgreSQL named it
    )
    return rows


async def take(connection: Connection, step: Step) -> int:
    """Do what a step says; return how many rows are gone. Raises InUseError, and what asyncpg raises."""
    try:
        match step.action:
            case Action.CREATE:
                await _create(connection, step)
                return 0
            case Action.THIN:
                row = await connection.fetchrow(
                    "SELECT removed FROM thin_events($1::text::regclass, $2)", step.partition, _TRIES, timeout=None
                )
                assert row is not None  # noqa: S101 - the function returns one row
                removed: int = row["removed"]
                return removed
            case Action.DROP:
                rows = await count_rows(connection, step)
                await connection.execute(
                    "SELECT replace_partition($1::text::regclass, $2::text::regclass, NULL, $3)",
                    step.table,
                    step.partition,
                    _TRIES,
                    timeout=None,
                )
                return rows
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        raise InUseError(step.partition) from error


async def _create(connection: Connection, step: Step) -> None:
    for attempt in range(_TRIES):
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '500ms'")
                await connection.execute("SELECT create_month_partitions($1, $2, 1)", step.table, step.month)
                return
        except asyncpg.LockNotAvailableError:
            if attempt == _TRIES - 1:
                raise
        await connection.execute("SELECT pg_sleep(1)")
