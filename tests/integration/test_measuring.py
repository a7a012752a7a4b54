"""What workers measure of the database and the broker, on real ones."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from cli.status.samples import read_samples
from deploy.local.ports import lease_port
from runtime import metrics
from runtime.companies import Companies
from runtime.postgres import Pool, create_pool, statement
from runtime.settings import load_settings
from tests.support.applying import COMPANIES, message
from tests.support.ingest import eventually
from tests.support.pipeline import TOPOLOGY, environment_for, part, publish, story
from workers import measuring
from workers.measuring import measure_dead_letters, measure_queues, measure_syncs, show_pool

INSERT_LETTER = """
INSERT INTO dead_letters (company_key, kind, stage, reason, body, replayed_at, discarded_at, erased_at)
VALUES ($1, 'quarantined', $2, $3, '', $4::timestamptz, $5::timestamptz, $6::timestamptz)
"""
INSERT_SYNC = """
INSERT INTO person_sync (company_key, person_uid, status, bulk, desired_version, next_attempt_at, requested_at)
SELECT $1, gen_random_uuid(), $2, $3, 1, now(), now() - make_interval(secs => $4) FROM generate_series(1, $5)
"""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "test", min_size=0, max_size=3, by_key=True) as pool:
        yield pool


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(measuring, "_UNTIL_DECLARED_SECONDS", 0.05)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await task


def shown(name: str) -> dict[tuple[str, ...], float]:
    """The samples of a metric by the values of its labels."""
    found = [metric for metric in metrics.REGISTRY.collect() if metric.name == name]
    return {tuple(sample.labels.values()): sample.value for metric in found for sample in metric.samples}


async def test_open_dead_letters_are_shown_by_company_stage_and_reason(pool: Pool) -> None:
    now = await pool.fetchval("SELECT now()")
    for company_key, reason, *done in (
        ("acme", "not_json", None, None, None),
        ("acme", "not_json", None, None, None),
        (None, "unreadable_envelope", None, None, None),
        ("acme", "not_json", now, None, None),
        ("acme", "not_json", None, now, None),
        ("acme", "not_json", None, None, now),
    ):
        await pool.execute(INSERT_LETTER, company_key, "decode", reason, *done)
    stop = asyncio.Event()
    expected = {("acme", "decode", "not_json"): 2.0, ("", "decode", "unreadable_envelope"): 1.0}
    async with running(measure_dead_letters(pool, stop), stop):
        await eventually(lambda: shown("vibes_dead_letters_open") == expected, "what is open")
        assert shown("vibes_postgres_connected") == {(): 1.0}
        await pool.execute("UPDATE dead_letters SET discarded_at = now()")
        await eventually(lambda: shown("vibes_dead_letters_open") == {}, "nothing is open")


async def test_of_a_database_that_cannot_be_asked_nothing_old_is_shown(pool: Pool) -> None:
    await pool.execute(INSERT_LETTER, "acme", "decode", "not_json", None, None, None)
    stop = asyncio.Event()
    async with running(measure_dead_letters(pool, stop), stop):
        await eventually(lambda: shown("vibes_postgres_connected") == {(): 1.0}, "asked")
        await pool.execute("ALTER TABLE dead_letters RENAME TO away")
        await eventually(lambda: shown("vibes_postgres_connected") == {(): 0.0}, "not asked")
        assert shown("vibes_dead_letters_open") == {}
        await pool.execute("ALTER TABLE away RENAME TO dead_letters")
        await eventually(lambda: len(shown("vibes_dead_letters_open")) == 1, "shown again")


async def test_what_waits_and_what_is_in_conflict_is_shown_for_every_company(pool: Pool) -> None:
    waiting = [("b", "pending", False, 30, 1), ("b", "postponed", False, 90, 2), ("b", "pending", True, 9000, 4)]
    done = [("b", "synced", False, 99_000, 5), ("b", "conflict", False, 99_000, 3), ("former", "synced", True, 1, 1)]
    for row in (*waiting, *done):
        await pool.execute(INSERT_SYNC, *row)
    await pool.execute(
        "INSERT INTO api_rates (company_key, rate, rate_at, next_slot) "
        "VALUES ('b', 40, now(), now() + interval '1 hour'), ('former', 10, now(), now() - interval '1 hour')"
    )
    told = COMPANIES.companies[0].model_dump()
    companies = Companies.model_validate(
        {"companies": [told, {**told, "company_key": "b", "endpoints": [{"name": "b", "key_sha256": "1" * 64}]}]}
    )
    stop = asyncio.Event()
    async with running(measure_syncs(pool, companies, stop), stop):
        await eventually(
            lambda: shown("vibes_person_sync_pending") == {("acme",): 0.0, ("b",): 7.0, ("former",): 0.0}, "what waits"
        )
        assert shown("vibes_person_sync_conflicts") == {("acme",): 0.0, ("b",): 3.0, ("former",): 0.0}
        oldest = shown("vibes_person_sync_oldest_pending_seconds")
        assert oldest["acme",] == oldest["former",] == 0.0
        assert 90 <= oldest["b",] < 120  # not the one that an import asked for
        left = shown("vibes_person_api_budget_left")
        assert (left["acme",], left["b",]) == (80.0, 0.0)
        assert ("former",) not in left


async def test_no_more_is_counted_than_is_asked_for(pool: Pool) -> None:
    await pool.execute(INSERT_SYNC, "acme", "pending", False, 1, 8)
    await pool.execute(INSERT_SYNC, "acme", "conflict", False, 1, 8)
    row = await pool.fetchrow(statement("measure_syncs"), 5)
    assert row is not None
    assert (row["pending"], row["conflicts"], row["budget_left"]) == (5, 5, None)


async def test_however_much_is_done_only_what_is_asked_for_is_read(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute("SET plan_cache_mode = auto; SET enable_seqscan = on")
        await connection.execute(INSERT_SYNC, "acme", "synced", False, 1, 20_000)
        await connection.execute(
            "INSERT INTO dead_letters (company_key, kind, stage, reason, body, replayed_at) "
            "SELECT 'acme', 'quarantined', 'decode', 'not_json', '', now() FROM generate_series(1, 20000)"
        )
        await connection.execute(
            "INSERT INTO person_api_calls (called_at, company_key, method, route, attempt, latency_seconds) "
            "SELECT date_trunc('month', now()) + make_interval(secs => n), 'acme', 'GET', '/', 1, 0.1 "
            "FROM generate_series(1, 40000) AS n"
        )
        await connection.execute("VACUUM ANALYZE dead_letters, person_sync, person_api_calls")
        for name, arguments in (
            ("measure_dead_letters", ""),
            ("measure_syncs", "(1000)"),
            ("count_person_api_calls", "(now() + interval '1 day')"),
        ):
            await connection.execute(f"PREPARE {name} AS {statement(name)}")
            explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {name} {arguments}")
            assert {rows for rows in map(rows_read, nodes(orjson.loads(explained)[0]["Plan"])) if rows > 100} == set()


def rows_read(node: dict[str, Any]) -> float:
    """How many rows a node read of a table; what an index tells roughly is not counted."""
    if "Relation Name" not in node:
        return 0
    return float(node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0))


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for each in plan.get("Plans", ()) for node in nodes(each))]


async def test_the_pool_is_shown_as_it_is(pool: Pool) -> None:
    show_pool(pool)
    assert shown("vibes_postgres_pool_connections") == {("idle",): 0.0, ("used",): 0.0}
    async with pool.acquire(), pool.acquire() as second:
        await second.execute("SELECT 1")
        assert shown("vibes_postgres_pool_connections") == {("idle",): 0.0, ("used",): 2.0}
    assert shown("vibes_postgres_pool_connections") == {("idle",): 2.0, ("used",): 0.0}
    assert shown("vibes_postgres_pool_max_connections") == {(): 3.0}


async def test_what_waits_in_each_queue_is_shown_as_soon_as_the_queues_are_there(amqp_url: str) -> None:
    stop = asyncio.Event()
    async with running(measure_queues(load_settings(amqp_url=amqp_url), stop), stop):
        await eventually(lambda: shown("vibes_broker_connected").get(("measure",)) == 1.0, "connected")
        assert shown("vibes_broker_queue_messages") == {}
        await publish(amqp_url, [message(story(2)), message(story(1))])
        empty = {(queue.name,): 0.0 for queue in TOPOLOGY.queues}
        waiting = {**empty, (TOPOLOGY.apply_queue(0).name,): 2.0}
        await eventually(lambda: shown("vibes_broker_queue_messages") == waiting, "what waits")
        assert shown("vibes_broker_queue_consumers") == empty
    assert shown("vibes_broker_queue_messages") == {}


async def test_an_apply_process_tells_how_old_what_it_holds_is_while_postgres_makes_it_wait(
    tmp_path: Path, database_url: str, amqp_url: str, pool: Pool
) -> None:
    with lease_port() as lease:
        port = lease.getsockname()[1]
        environment = environment_for(tmp_path, database_url, amqp_url, apply_admin_port=port)
        async with (
            aiohttp.ClientSession() as session,
            pool.acquire() as holder,
            part("apply", environment=environment) as worker,
        ):

            async def told(name: str) -> float | None:
                async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                    return read_samples(await answer.text()).total(name)

            async def holds() -> bool:
                return (await told("vibes_apply_oldest_unapplied_seconds") or 0) > 0.5

            async def holds_nothing() -> bool:
                return await told("vibes_apply_oldest_unapplied_seconds") == 0

            await worker.logged("apply.consuming")
            assert await holds_nothing()
            async with holder.transaction():
                await holder.execute("LOCK TABLE callback_ledger")
                await publish(amqp_url, [message([*story(3), b"no JSON"])])
                await eventually(holds, "it tells the age of what it holds")
            await eventually(holds_nothing, "it has applied that")
            assert await told("vibes_dead_letters_total") == 1
            assert await told("vibes_postgres_connected") == 1
            assert await told("vibes_postgres_pool_connections") is not None

            async def counts_queues() -> bool:
                return await told("vibes_broker_queue_consumers") is not None

            await eventually(counts_queues, "it tells of the queues, which it had to make first")
