"""Nobody migrated for over a year, and callbacks came all the same."""

from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest

from tests.support.applying import apply_bodies
from tests.support.pipeline import story

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    connection: Connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def drop_partitions(connection: Connection, parent: str) -> None:
    rows = await connection.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::text::regclass", parent
    )
    for row in rows:
        if not row["name"].endswith("_default"):
            await connection.execute(f"DROP TABLE {row['name']}")


async def indexes(connection: Connection, table: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT pg_get_indexdef(indexrelid) AS told FROM pg_index WHERE indrelid = $1::text::regclass", table
    )
    return sorted(row["told"].split(" USING ")[1] for row in rows)


async def test_events_of_months_without_a_partition_move_into_it_once_it_is_made(
    connection: Connection, database_url: str
) -> None:
    # Given events in the default partition
    await drop_partitions(connection, "callback_events")
    async with asyncpg.create_pool(database_url, min_size=0, max_size=2) as pool:
        await apply_bodies(pool, story(20))
    everything = "SELECT * FROM callback_events ORDER BY message_id, position"
    before = await connection.fetch(everything)
    assert await connection.fetchval("SELECT count(*) FROM callback_events_default") == 20
    # When the partitions are made, twice
    for _ in range(2):
        await connection.execute("SELECT create_month_partitions('callback_events', now()::date, 2)")
    # Then they hold them
    assert await connection.fetchval("SELECT count(*) FROM callback_events_default") == 0
    assert await connection.fetch(everything) == before
    # And are like every other
    month = await connection.fetchval("SELECT DISTINCT tableoid::regclass::text FROM callback_events")
    assert await indexes(connection, month) == await indexes(connection, "callback_events_default")


async def test_calls_of_months_without_a_partition_move_too(connection: Connection) -> None:
    await drop_partitions(connection, "person_api_calls")
    await connection.execute(
        "INSERT INTO person_api_calls (company_key, method, route, attempt, latency_seconds)"
        " VALUES ('acme', 'GET', '/persons/{id}', 1, 0.1)"
    )
    await connection.execute("SELECT create_month_partitions('person_api_calls', now()::date, 2)")
    assert await connection.fetchval("SELECT count(*) FROM person_api_calls_default") == 0
    assert await connection.fetchval("SELECT count(*) FROM person_api_calls") == 1
