"""The accounts say what callback_messages says, whoever writes and whoever adds up; and every callback can be found."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import Metric

from cli.accounts import PositionCheck
from cli.positions import check_positions
from cli.span import Span, read_span
from ingest.ids import uuid7
from runtime import metrics
from runtime.postgres import Pool, create_pool, statement
from schemas.broker_message import CallbackMessage
from schemas.errors import MessageError
from tests.support.applying import COMPANIES, apply_message, message
from tests.support.ingest import eventually
from tests.support.pipeline import story
from workers.accounts import keep_accounts
from workers.apply.reading import read_message
from workers.apply.settle import settle, settle_refused
from workers.apply.transaction import apply_messages
from workers.mirror import write_mirror

NOW = datetime.now(UTC)
FIGURES = ("applied", "duplicates", "quarantined", "dead_lettered")
RECORDED = """
SELECT company_key, ingest_id, message_hour(message_id, received_at) AS hour, max(acknowledged) AS acknowledged,
    sum(applied) AS applied, sum(duplicates) AS duplicates, sum(quarantined) AS quarantined,
    sum(dead_lettered) AS dead_lettered, max(received_at) AS last_received_at, max(applied_at) AS last_applied_at
FROM callback_messages GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
ACCOUNTED = "SELECT * FROM callback_accounts ORDER BY company_key, ingest_id, hour"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "test", min_size=0, max_size=6, by_key=True) as pool:
        yield pool


def published(bodies: Iterable[bytes], *, hours_ago: int = 0, ingest: str = "i1", told: int = 0) -> CallbackMessage:
    """A message as an ingest process published it then."""
    published_at = NOW - timedelta(hours=hours_ago)
    late = uuid7().int % (1 << 80)
    message_id = UUID(int=int(published_at.timestamp() * 1000) << 80 | late)
    return replace(message(bodies), message_id=message_id, ingest_id=ingest, acknowledged=told)


async def roll_up(pool: Pool, rows: int = 1000) -> int:
    return int(await pool.fetchval(statement("account_roll_up"), rows))


async def assert_exact(pool: Pool) -> None:
    recorded, accounted = await pool.fetch(RECORDED), await pool.fetch(ACCOUNTED)
    assert [dict(row) for row in accounted] == [dict(row) for row in recorded]


async def look_up(pool: Pool, span: Span | None = None) -> PositionCheck:
    async with pool.acquire() as connection:
        return await check_positions(connection, span or Span(), None, lambda _number: None)


async def test_each_message_counts_once_whatever_became_of_its_batch(pool: Pool) -> None:
    first = published([*story(5), b"not JSON"], told=3)
    await apply_message(pool, first, published(story(4), hours_ago=2, ingest="i2", told=9))
    await apply_message(pool, first)  # delivered again
    refused = read_message(published(story(2, start=50)), lambda _: "US")
    await settle_refused(pool, refused, COMPANIES, MessageError("delivery_limit"))
    with pytest.raises(ZeroDivisionError):
        async with pool.acquire() as connection:
            await write_mirror(connection, ["acme"], applied_and_lost)
    await assert_exact(pool)
    assert await roll_up(pool) == 3  # a row a batch, process and hour
    await assert_exact(pool)
    rows = await pool.fetch("SELECT * FROM callback_account_hours ORDER BY ingest_id")
    assert [tuple(row[name] for name in ("ingest_id", "acknowledged", *FIGURES)) for row in rows] == [
        ("i1", 3, 5, 0, 1, 2),
        ("i2", 9, 0, 4, 0, 0),
    ]


async def applied_and_lost(mirror: Any) -> None:
    await apply_messages(mirror, [read_message(published(story(3, start=90)), lambda _: "US")], COMPANIES, {})
    raise ZeroDivisionError


async def test_an_hour_is_the_one_in_which_ingest_published(pool: Pool) -> None:
    await apply_message(pool, published(story(1), hours_ago=30))
    whole_hour = NOW.replace(minute=0, second=0, microsecond=0)
    assert await pool.fetchval("SELECT hour FROM callback_accounts") == whole_hour - timedelta(hours=30)


async def test_accounts_stay_exact_while_several_write_and_several_add_up(pool: Pool) -> None:
    writing = [
        settle(
            pool,
            [read_message(published(story(3, start=n), ingest=f"i{n % 3}", told=n), lambda _: "US")],
            COMPANIES,
        )
        for n in range(40)
    ]
    adding = [roll_up(pool, 7) for _ in range(20)]
    await asyncio.gather(*writing, *adding)
    await assert_exact(pool)
    while await roll_up(pool, 7):
        await assert_exact(pool)
    assert await pool.fetchval("SELECT count(*) FROM callback_account_changes") == 0
    await assert_exact(pool)


async def test_a_batch_does_not_wait_for_whoever_adds_up_nor_they_for_each_other(pool: Pool) -> None:
    await apply_message(pool, published(story(3)))
    async with pool.acquire() as connection, connection.transaction():
        assert await connection.fetchval(statement("account_roll_up"), 1000) == 1
        async with asyncio.timeout(10):
            await apply_message(pool, published(story(3)))
            assert await pool.fetchval("SELECT sum(applied + duplicates)::bigint FROM callback_accounts") == 6
    await assert_exact(pool)


async def test_every_callback_is_found_once_where_its_outcome_says(pool: Pool) -> None:
    for hours_ago in (3, 2, 1):
        bodies = [*story(20, start=hours_ago * 10), b"not JSON"]
        await apply_message(pool, published(bodies, hours_ago=hours_ago), published(story(5), hours_ago=hours_ago))
    check = await look_up(pool)
    assert (check.checked, check.inconsistent) == (78, 0)
    assert sum(check.outcomes.values()) == 78
    assert check.outcomes["quarantined"] == 3
    assert (await look_up(pool, read_span("2h", "0h", NOW))).checked == 52


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM callback_events WHERE position = 1",
        "DELETE FROM dead_letters",
        "UPDATE callback_messages SET outcomes = 'd' || substr(outcomes, 2)",
        "UPDATE callback_messages SET outcomes = left(outcomes, 3)",
        "INSERT INTO dead_letters (kind, stage, reason, body, message_id, position, company_key) "
        "SELECT 'dead_lettered', 'apply', 'r', '', message_id, 0, company_key FROM callback_messages",
        "INSERT INTO callback_events (company_key, callback_type, event_id, received_at, payload, endpoint, "
        "message_id, position) SELECT company_key, callback_type, event_id, received_at + interval '1 ms', payload, "
        "endpoint, message_id, position FROM callback_events WHERE position = 2",
        "UPDATE callback_events SET position = 77 WHERE position = 2",
    ],
)
async def test_the_look_at_every_callback_notices_one_that_is_lost_or_there_twice(pool: Pool, damage: str) -> None:
    told = published([*story(3), b"not JSON"])
    await apply_message(pool, told)
    assert (await look_up(pool)).inconsistent == 0
    await pool.execute(damage)
    check = await look_up(pool)
    assert check.inconsistent > 0
    assert check.examples[0].startswith(str(told.message_id))


async def test_what_a_replay_applied_is_where_the_replay_put_it(pool: Pool) -> None:
    await apply_message(pool, published([*story(1), b"not JSON"]))
    await pool.execute("UPDATE dead_letters SET replayed_at = now()")
    assert (await look_up(pool)).inconsistent == 1
    await pool.execute("UPDATE callback_messages SET outcomes = 'ad'")
    assert (await look_up(pool)).inconsistent == 0


async def test_runs_of_messages_leave_nothing_out(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.positions._MESSAGES_A_QUERY", 3)
    for number in range(10):
        await apply_message(pool, published(story(2, start=number * 2), hours_ago=number))
    stray = published(story(1, start=70), hours_ago=4)
    await apply_message(pool, stray)
    await pool.execute("DELETE FROM callback_messages WHERE message_id = $1", stray.message_id)
    check = await look_up(pool)
    assert (check.checked, check.inconsistent, check.examples) == (21, 1, [f"{stray.message_id}/0"])


def shown(name: str) -> dict[str, float]:
    """A metric by company; empty when it is not shown."""
    (metric,) = [metric for metric in metrics.REGISTRY.collect() if metric.name == name]
    assert isinstance(metric, Metric)
    return {sample.labels.get("company_key", ""): sample.value for sample in metric.samples}


async def test_the_difference_is_shown_by_company_and_rows_are_added_up(pool: Pool) -> None:
    long_ago = 24 * 40
    await apply_message(pool, published(story(2), told=1), published(story(3, start=9), ingest="i2", told=7))
    await apply_message(pool, published([], hours_ago=long_ago, ingest="i0", told=90))
    await pool.execute("INSERT INTO callback_account_changes SELECT 'former', 'i', now(), 5, 0, 0, 0, 0, now(), now()")
    stop = asyncio.Event()
    keeping = asyncio.create_task(keep_accounts(pool, COMPANIES, stop))
    await eventually(lambda: shown("vibes_audit_missing_callbacks") == {"acme": 4.0, "former": 5.0}, "differences")
    assert shown("vibes_audit_unreported_callbacks") == {"acme": 1.0, "former": 0.0}
    assert shown("vibes_audit_last_run_timestamp_seconds")[""] >= NOW.timestamp()
    assert await pool.fetchval("SELECT count(*) FROM callback_account_changes") == 0
    stop.set()
    await keeping


async def test_nothing_is_shown_of_a_database_that_does_not_answer(pool: Pool) -> None:
    metrics.AUDIT_MISSING.clear()
    metrics.AUDIT_LAST_RUN.set(0)
    await pool.execute("DROP VIEW callback_accounts CASCADE")
    await pool.execute("DROP TABLE callback_account_hours CASCADE")
    stop = asyncio.Event()
    keeping = asyncio.create_task(keep_accounts(pool, COMPANIES, stop))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await asyncio.shield(keeping)
    stop.set()
    await keeping
    assert shown("vibes_audit_missing_callbacks") == {}
    assert shown("vibes_audit_last_run_timestamp_seconds") == {"": 0.0}


async def test_messages_recorded_before_there_were_accounts_are_in_them(pool: Pool, database_url: str) -> None:
    await apply_message(pool, published(story(5), told=3), published(story(4, start=30), hours_ago=2, ingest="i2"))
    migration = files("schemas").joinpath("sql", "migrations", "0012-callback-accounts.sql").read_text()
    up, _, down = migration.partition("-- migrate: rollback")
    connection = await asyncpg.connect(database_url)
    try:
        # Later migrations made views of it.
        await connection.execute("DROP SCHEMA analytics CASCADE")
        await connection.execute(down)
        await connection.execute(up)
    finally:
        await connection.close()
    await assert_exact(pool)
    await apply_message(pool, published(story(3, start=60)))
    await assert_exact(pool)
