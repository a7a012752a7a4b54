"""What is old leaves the database, and what proves consent stays."""

import asyncio
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.postgres import POSTGRES_ERRORS, Pool
from simulator.history.history import History
from tests.integration.maintenance.conftest import UNTIL
from tests.support.commands import vibes_pipeline
from workers.maintenance.policy import Policy
from workers.maintenance.run import Done, maintain

NOW = UNTIL + timedelta(days=14)
BODIES = Policy(bodies=timedelta(days=31), ledger=timedelta(days=31), api_calls=timedelta(days=31))
EVIDENCE = ("subscription_added", "subscription_removed", "ack_participant_added", "company_participant_changed")


async def maintained(pool: Pool, policy: Policy, *, now: datetime = NOW, dry_run: bool = False) -> list[Done]:
    async with pool.acquire() as connection:
        return [done async for done in maintain(connection, policy, now, asyncio.Event(), dry_run=dry_run)]


def told(done: list[Done]) -> list[str]:
    return [f"{each.action} {each.table} {each.month or ''}".strip() for each in done if each.action != "create"]


async def events(pool: Pool, month: str) -> list[dict[str, Any]]:
    rows = await pool.fetch(
        "SELECT * FROM callback_events WHERE to_char(received_at, 'YYYY-MM') = $1 ORDER BY message_id, position", month
    )
    return [dict(row) for row in rows]


async def test_bodies_of_old_months_go_and_the_evidence_stays_with_its_ids_and_dates(
    pool: Pool, history: History
) -> None:
    before = await events(pool, "2025-01")
    february = await events(pool, "2025-02")
    stays = await pool.fetch("SELECT * FROM subscriptions ORDER BY 1, 3, 4")
    # When bodies are kept for a month
    done = await maintained(pool, BODIES)
    # Then January has no profiles and messages any more
    assert "thin callback_events 2025-01" in told(done)
    after = await events(pool, "2025-01")
    assert {event["callback_type"] for event in after}.isdisjoint(
        {"person_added", "person_updated", "unmatched_message_received", "event_processed"}
    )
    # And every fact about consent, as it was
    facts = [
        {name: value for name, value in event.items() if name not in ("payload", "original_body")}
        for event in before
        if event["callback_type"] in EVIDENCE
    ]
    assert len(facts) > 50
    kept = [
        {name: value for name, value in event.items() if name not in ("payload", "original_body")}
        for event in after
        if event["callback_type"] in EVIDENCE
    ]
    assert kept == facts
    assert all("x_trace" not in json.loads(event["payload"]) for event in after)
    # And nothing else has changed
    assert await events(pool, "2025-02") == february
    assert await pool.fetch("SELECT * FROM subscriptions ORDER BY 1, 3, 4") == stays


async def test_a_thinned_month_is_like_every_other_partition(pool: Pool, history: History) -> None:
    async def shape(partition: str) -> list[str]:
        rows = await pool.fetch(
            "SELECT pg_get_indexdef(indexrelid) AS told FROM pg_index WHERE indrelid = $1::text::regclass"
            " UNION ALL SELECT tgname::text FROM pg_trigger WHERE tgrelid = $1::text::regclass"
            " UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = $1::text::regclass AND contype = 'c'"
            " UNION ALL SELECT privilege_type || grantee FROM information_schema.role_table_grants"
            " WHERE table_name = $1",
            partition,
        )
        return sorted(row["told"].split(" USING ")[-1] for row in rows)

    await maintained(pool, BODIES)
    assert await shape("callback_events_2025_01") == await shape("callback_events_2025_02")


async def test_views_of_current_state_are_as_before(pool: Pool, history: History) -> None:
    views = ("push_devices", "wallet_items", "subscription_lists", "current_subscriptions")

    async def state() -> dict[str, list[str]]:
        return {view: sorted(map(repr, await pool.fetch(f"SELECT * FROM {view}"))) for view in views}  # noqa: S608 - one of our views

    before = await state()
    await maintained(pool, BODIES)
    assert await state() == before


async def test_what_analysts_see_of_single_messages_goes_with_them_and_sums_stay(pool: Pool, history: History) -> None:
    async def made_anew() -> tuple[list[int], int]:
        while await pool.fetchval("SELECT analytics_store.roll_up()"):
            pass
        messages = "SELECT count(*) FROM analytics_store.inbound_messages WHERE event_date < '2025-02-01'"
        sums = "SELECT sum(events)::bigint FROM analytics_store.callback_hours"
        passes = "SELECT count(*) FROM analytics_store.wallet_items"
        return [await pool.fetchval(query) for query in (sums, passes)], await pool.fetchval(messages)

    stays, messages = await made_anew()
    assert messages > 0
    await maintained(pool, BODIES)
    assert await made_anew() == (stays, 0)


async def test_dedupe_keys_outcomes_and_calls_go_too_and_the_accounts_stay(pool: Pool, history: History) -> None:
    accounts = await pool.fetch("SELECT * FROM callback_accounts ORDER BY 1, 2, 3")
    await pool.execute("SELECT create_month_partitions('person_api_calls', '2025-01-01', 2)")
    await pool.execute(
        "INSERT INTO person_api_calls (called_at, company_key, method, route, attempt, latency_seconds)"
        " SELECT '2025-01-05', 'acme', 'GET', '/persons/{id}', 1, 0.1 FROM generate_series(1, 3)"
    )
    done = await maintained(pool, BODIES)
    assert {"prune callback_ledger", "prune callback_messages", "drop person_api_calls 2025-01"} <= set(told(done))
    assert await pool.fetchval("SELECT min(seen_at) FROM callback_ledger") >= NOW - timedelta(days=31)
    assert await pool.fetchval("SELECT min(received_at) FROM callback_messages") >= datetime(2025, 2, 1, tzinfo=UTC)
    assert await pool.fetchval("SELECT count(*) FROM person_api_calls") == 0
    assert await pool.fetch("SELECT * FROM callback_accounts ORDER BY 1, 2, 3") == accounts


async def test_in_the_end_the_evidence_goes_with_its_partition(pool: Pool, history: History) -> None:
    done = await maintained(pool, Policy(bodies=timedelta(days=31), evidence=timedelta(days=31)))
    assert "drop callback_events 2025-01" in told(done)
    assert await events(pool, "2025-01") == []
    assert await pool.fetchval("SELECT to_regclass('callback_events_2025_01')") is None
    assert await pool.fetchval("SELECT count(*) FROM callback_events") == len(await events(pool, "2025-02"))


async def test_the_second_time_there_is_nothing_left_to_do(pool: Pool, history: History) -> None:
    await maintained(pool, BODIES)
    assert await maintained(pool, BODIES) == []


async def test_without_a_policy_nothing_is_removed(pool: Pool, history: History) -> None:
    before = await pool.fetchval("SELECT count(*) FROM callback_events")
    assert told(await maintained(pool, Policy())) == []
    assert await pool.fetchval("SELECT count(*) FROM callback_events") == before


async def test_a_dry_run_tells_the_same_and_does_nothing(pool: Pool, history: History) -> None:
    before = await pool.fetch("SELECT * FROM callback_events ORDER BY message_id, position")
    tables = await pool.fetch("SELECT relname FROM pg_class ORDER BY 1")
    expected = await maintained(pool, BODIES, dry_run=True)
    assert await pool.fetch("SELECT * FROM callback_events ORDER BY message_id, position") == before
    assert await pool.fetch("SELECT relname FROM pg_class ORDER BY 1") == tables
    assert [(each.action, each.month, each.rows) for each in expected] == [
        (each.action, each.month, each.rows) for each in await maintained(pool, BODIES)
    ]


async def test_what_came_late_into_the_default_partition_is_reached_as_well(pool: Pool, history: History) -> None:
    # Given the month of some events has lost its partition
    await pool.execute("CREATE TABLE moved AS SELECT * FROM callback_events_2025_01")
    await pool.execute("DROP TABLE callback_events_2025_01")
    await pool.execute("INSERT INTO callback_events SELECT * FROM moved")
    assert await pool.fetchval("SELECT count(*) FROM callback_events_default") > 0
    # When
    done = await maintained(pool, BODIES)
    # Then
    assert "thin callback_events 2025-01" in told(done)
    assert await pool.fetchval("SELECT count(*) FROM callback_events_default") == 0
    assert await pool.fetchval("SELECT count(*) FROM callback_events_2025_01") > 0


async def test_only_dead_letters_that_are_dealt_with_go(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO dead_letters (kind, stage, reason, body, created_at, discarded_at)"
        " VALUES ('quarantined', 'decode', 'not_json', 'x', '2025-01-05', '2025-01-06'),"
        " ('quarantined', 'decode', 'not_json', 'x', '2025-01-05', NULL),"
        " ('quarantined', 'decode', 'not_json', 'x', '2025-02-05', '2025-02-06')"
    )
    assert "prune dead_letters" in told(await maintained(pool, BODIES))
    assert [row["discarded_at"] is None for row in await pool.fetch("SELECT * FROM dead_letters ORDER BY id")] == [
        True,
        False,
    ]


async def test_a_month_that_is_being_read_all_the_time_is_left_for_the_next_time(
    pool: Pool, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.maintenance.partitions._TRIES", 2)
    # Given an analyst who reads everything, in one long transaction
    async with pool.acquire() as analyst:
        transaction = analyst.transaction()
        await transaction.start()
        await analyst.fetchval("SELECT count(*) FROM callback_events")
        # When
        done = await maintained(pool, BODIES)
        # Then it is told, and the month is as it was
        assert [each.action for each in done if each.problem] == ["thin"]
        assert await analyst.fetchval("SELECT count(*) FROM callback_events WHERE callback_type = 'person_added'") > 0
        await transaction.rollback()
    # And later it is done, with no trace of the first try in its way
    assert told(await maintained(pool, BODIES)) == ["thin callback_events 2025-01"]


async def test_a_session_that_is_killed_in_the_middle_leaves_everything_as_it_was(pool: Pool, history: History) -> None:
    await maintained(pool, Policy())
    before = await events(pool, "2025-01")
    # Given maintain has made the new table of a month, and waits for an analyst
    async with pool.acquire() as analyst, analyst.transaction():
        await analyst.fetchval("SELECT count(*) FROM callback_events")
        maintaining = asyncio.create_task(maintained(pool, BODIES))
        thinning = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%thin_events%' AND pid <> pg_backend_pid()"
        async with asyncio.timeout(20):
            while (pid := await pool.fetchval(thinning)) is None:
                await pool.execute("SELECT pg_sleep(0.01)")
        # When its session is killed
        await pool.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(POSTGRES_ERRORS):
            await maintaining
    # Then the month is as it was, and the next time does what is left
    assert await events(pool, "2025-01") == before
    assert "thin callback_events 2025-01" in told(await maintained(pool, BODIES))


def command(database_url: str, *options: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*vibes_pipeline(), "maintain", *options],
        env={**os.environ, "DATABASE_URL": database_url, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def test_the_command_tells_what_it_did(database_url: str, history: History) -> None:
    policy = {"VIBES_PIPELINE_KEEP_BODIES_DAYS": "31"}
    dry, done, again = (
        json.loads(command(database_url, *options, "--json", **policy).stdout) for options in (("--dry-run",), (), ())
    )
    assert [each["action"] for each in dry["done"]] == [each["action"] for each in done["done"]]
    assert ("thin", "2025-02") in {(each["action"], each["month"]) for each in done["done"]}
    assert again == {"ok": True, "dry_run": False, "done": []}


async def test_the_command_asks_for_the_owner_of_the_tables(database_url: str, history: History) -> None:
    result = command(f"{database_url}?role=vibes_worker", VIBES_PIPELINE_KEEP_BODIES_DAYS="31")
    assert result.returncode == 2
    assert "use their owner" in result.stderr


def test_the_command_refuses_a_policy_that_would_lose_evidence() -> None:
    result = command("postgresql://localhost:1/nothing", VIBES_PIPELINE_KEEP_EVIDENCE_DAYS="400")
    assert result.returncode == 2
    assert "VIBES_PIPELINE_KEEP_EVIDENCE_DAYS" in result.stderr


def test_the_command_says_that_the_database_is_away() -> None:
    result = command("postgresql://localhost:1/nothing")
    assert result.returncode == 1
    assert "Postgres cannot be reached" in result.stderr
