"""Rows of a year, made inside PostgreSQL: as if so many events had been received and applied in 2024.

The log, the messages, the mirror and the calls tell the same story. What analysts' views are quick with is made from
them by the pipeline's own function, which is timed.
"""

import time
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from benchmarks.growth.schema import declared, drop_indexes, require_same
from runtime.postgres import Connection

BEGAN, ENDED = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
_MONTHS = 13
_EVENTS_A_PERSON = 5
_TABLES = ("persons", "person_identities", "subscriptions", "callback_events", "callback_messages", "person_api_calls")
_TRIGGERED = ("subscriptions", "callback_messages")
_FOR_THE_LOAD = {"synchronous_commit": "off", "maintenance_work_mem": "512MB", "work_mem": "256MB", "timezone": "UTC"}
_STORY = """
CREATE TEMPORARY TABLE history AS
SELECT 'bench'::text AS company_key, $1::bigint AS events, $2::bigint AS persons, $3::timestamptz AS began,
    $4::timestamptz AS ended
"""


async def make_year(database_url: str, events: int) -> float:
    """Make the rows of so many events in an empty migrated database; return how long adding them up took, in seconds.

    Raises ServiceError when the schema is not as it was, and what asyncpg raises.
    """
    connection = await asyncpg.connect(database_url, server_settings=_FOR_THE_LOAD)
    try:
        for table in ("callback_events", "person_api_calls"):
            await connection.execute("SELECT create_month_partitions($1, $2, $3)", table, BEGAN.date(), _MONTHS)
        await connection.execute("SELECT grant_access()")
        await _load(connection, events)
        began = time.perf_counter()
        await connection.execute("SELECT analytics_store.rebuild()")
        seconds = time.perf_counter() - began
        await connection.execute("VACUUM ANALYZE")
        return seconds
    finally:
        await connection.close()


async def _load(connection: Connection, events: int) -> None:
    before = await declared(connection)
    indexes = await drop_indexes(connection, ["callback_events", "person_identities", "person_api_calls"])
    await connection.execute(_STORY, events, max(events // _EVENTS_A_PERSON, 1), BEGAN, ENDED)
    await connection.execute("ANALYZE history; SELECT setseed(0.5)")
    await connection.execute(_sql("vocabulary"))
    for table in _TRIGGERED:
        # What was noted would be thrown away: it is all made anew in the end.
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER analytics_added")
    for table in _TABLES:
        await connection.execute(_sql(table))
        await connection.execute(f"ANALYZE {table}")
    for table in _TRIGGERED:
        await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER analytics_added")
    for index in indexes:
        await connection.execute(index.create)
    await require_same(connection, before)


def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
