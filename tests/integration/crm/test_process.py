"""Changes of the CRM through the apply process, on a real broker and a real database, through what goes wrong."""

import asyncio
import random
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import pytest

from deploy.local.postgres import LocalPostgres
from schemas.crm_change import CrmChange
from schemas.crm_message import ROUTING_KEY
from tests.support.crm import change, crm_message
from tests.support.ingest import eventually
from tests.support.pipeline import TOPOLOGY, PartProcess, environment_for, part, publish, ready_messages

CRM = {"exchange": TOPOLOGY.crm.name, "routing_key": ROUTING_KEY}
COMPANIES = """
[[companies]]
company_key = "acme"
region = "US"
default_country = "US"
endpoints = [{ name = "main", key_sha256 = "%s" }]
api_username = "user@example.com"
api_password_env = "NEVER_READ"
"""


def environment(directory: Path, database_url: str, amqp_url: str, **settings: object) -> dict[str, str]:
    """Return the environment of an apply worker whose company wants what the CRM sends at Vibes."""
    file = directory / "with-api.toml"
    file.write_text(COMPANIES % ("0" * 64))
    return environment_for(directory, database_url, amqp_url, companies_file=file, **settings)


def burst(changes: int, records: int, seed: int = 1) -> list[CrmChange]:
    """Return changes in disorder, the last of each record being its number's greatest `visits`."""
    told = [change(f"p{n % records}", n // records, visits=n // records) for n in range(changes)]
    random.Random(seed).shuffle(told)
    return told


def messages(changes: list[CrmChange], size: int) -> list[bytes]:
    return [crm_message(changes[start : start + size]) for start in range(0, len(changes), size)]


async def fetch(database_url: str, query: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(database_url)
    try:
        return [dict(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def wait_for_visits(database_url: str, records: int, visits: int, within: float = 60) -> None:
    """Wait until that many records have their latest value."""

    async def there() -> bool:
        query = "SELECT count(*) AS n FROM crm_persons WHERE custom_fields ->> 'visits' = '{}'"
        (row,) = await fetch(database_url, query.format(visits))
        return bool(row["n"] == records)

    await eventually(there, f"{records} records with visits = {visits}", within=within)


async def outcomes(worker: PartProcess) -> dict[str, float]:
    """Return what the worker counted, by outcome."""
    port = worker.events("apply.started")[0]["admin_port"]

    def read() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            return str(answer.read().decode())

    prefix = 'vibes_apply_crm_changes_total{company_key="acme",outcome="'
    lines = (await asyncio.to_thread(read)).splitlines()
    told = [line.removeprefix(prefix).split('"} ') for line in lines if line.startswith(prefix)]
    return {outcome: float(count) for outcome, count in told}


async def test_changes_end_in_the_records_and_in_the_outbox(tmp_path: Path, database_url: str, amqp_url: str) -> None:
    told = change("ann/1", 1, mdn="(312) 555-0100", carrier_code="104", colour={"id": 7, "name": "Röd"}, gone=None)
    async with part("apply", environment=environment(tmp_path, database_url, amqp_url)) as worker:
        await publish(amqp_url, [crm_message([told, change("ann/1", 0, carrier_code="105")])], **CRM)

        async def counted() -> bool:
            return bool(worker.events("apply.started")) and await outcomes(worker) == {"changed": 1, "unchanged": 1}

        await eventually(counted, "both changes are settled")
        await worker.signal(signal.SIGTERM)
        assert worker.process.returncode == 0

    (row,) = await fetch(database_url, "SELECT * FROM crm_persons")
    assert (row["mdn"], row["mdn_e164"], row["carrier_code"]) == ("(312) 555-0100", "+13125550100", "104")
    assert orjson.loads(row["custom_fields"]) == {"colour": {"id": 7, "name": "Röd"}, "gone": None}
    (due,) = await fetch(database_url, "SELECT * FROM person_sync")
    assert (due["external_person_id"], due["status"], due["bulk"]) == ("ann/1", "postponed", False)
    assert await ready_messages(amqp_url, TOPOLOGY.crm_changes.name) == 0


async def test_ten_thousand_changes_of_a_thousand_records_are_folded_into_a_thousand_rows_of_the_outbox(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    await publish(amqp_url, messages(burst(10_000, 1000), 100), **CRM)
    async with part("apply", environment=environment(tmp_path, database_url, amqp_url)) as worker:
        await worker.logged("apply.consuming", times=3)
        began = time.perf_counter()
        await wait_for_visits(database_url, 1000, 9)
        print(f"\n10,000 changes to 1,000 records: about {time.perf_counter() - began:.1f} s")  # noqa: T201 - a figure
        await worker.signal(signal.SIGTERM)
    (due,) = await fetch(database_url, "SELECT count(*) AS rows, max(desired_version) AS most FROM person_sync")
    assert due["rows"] == 1000
    assert due["most"] <= 10


async def test_workers_killed_in_the_middle_lose_nothing(tmp_path: Path, database_url: str, amqp_url: str) -> None:
    settings = environment(tmp_path, database_url, amqp_url, apply_batch_callbacks=50)
    await publish(amqp_url, messages(burst(2000, 100), 10), **CRM)
    # Somebody holds a record, so the worker is in the middle of its transaction when it is killed.
    holder, watcher = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    try:
        async with holder.transaction(), part("apply", environment=settings) as killed:
            await holder.execute("INSERT INTO crm_persons VALUES ('acme', 'p50', NULL, NULL, NULL, '{}', '-infinity')")

            async def waits() -> bool:
                query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                return bool(await watcher.fetchval(f"{query} AND datname = current_database()"))

            await eventually(waits, "the worker is in a transaction")
            await killed.signal(signal.SIGKILL)
    finally:
        await holder.close()
        await watcher.close()

    async with part("apply", environment=settings) as first, part("apply", environment=settings) as second:
        await asyncio.gather(*(worker.logged("apply.consuming", times=3) for worker in (first, second)))
        await first.signal(signal.SIGKILL)
        await wait_for_visits(database_url, 100, 19)
    assert await fetch(database_url, "SELECT * FROM dead_letters") == []


async def test_a_message_delivered_again_changes_nothing(tmp_path: Path, database_url: str, amqp_url: str) -> None:
    told = crm_message([change("p", 1, visits=1), change("q", 1, visits=1)], message_id=uuid4())
    async with part("apply", environment=environment(tmp_path, database_url, amqp_url)) as worker:
        await publish(amqp_url, [told], **CRM)
        await wait_for_visits(database_url, 2, 1)
        before = await fetch(database_url, "SELECT * FROM crm_persons ORDER BY 1, 2")
        await publish(amqp_url, [told, told], **CRM)

        async def counted() -> bool:
            return await outcomes(worker) == {"changed": 2, "unchanged": 4}

        await eventually(counted, "all are settled")
    assert await fetch(database_url, "SELECT * FROM crm_persons ORDER BY 1, 2") == before
    (versions,) = await fetch(database_url, "SELECT max(desired_version) AS most FROM person_sync")
    assert versions["most"] == 1


async def test_postgres_stopped_dead_letters_nothing_and_every_change_is_stored_after_it_returns(
    tmp_path: Path, own_postgres: LocalPostgres, own_database_url: str, amqp_url: str
) -> None:
    settings = environment(tmp_path, own_database_url, amqp_url, apply_batch_callbacks=50)
    told = messages(burst(3000, 100), 10)
    async with part("apply", environment=settings) as worker:
        await publish(amqp_url, told[:200], **CRM)
        await asyncio.to_thread(own_postgres.stop, "immediate")
        await publish(amqp_url, told[200:], **CRM)
        await worker.logged("apply.postgres_unavailable", times=3)
        await asyncio.to_thread(own_postgres.start)
        await wait_for_visits(own_database_url, 100, 29)
        assert worker.process.returncode is None
    assert await fetch(own_database_url, "SELECT * FROM dead_letters") == []


async def test_a_bad_change_and_a_foreign_message_hold_nobody_up(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    good = burst(499, 499)
    bodies = [
        crm_message([*good[:100], change("bad", 0, note="a\x00b"), *good[100:]]),
        b"what is this",
        b'{"version":"?"}',
    ]
    await publish(amqp_url, bodies, **CRM)
    async with part("apply", environment=environment(tmp_path, database_url, amqp_url)):
        await wait_for_visits(database_url, 499, 0)
        await eventually(lambda: kept(database_url, 3), "three dead letters")
    rows = await fetch(database_url, "SELECT stage, reason, position, body FROM dead_letters ORDER BY reason")
    assert [(row["stage"], row["reason"], row["position"]) for row in rows] == [
        ("crm", "refused_by_database", 100),
        ("decode", "unknown_version", -1),
        ("decode", "unreadable_crm_message", -1),
    ]
    assert orjson.loads(rows[0]["body"])["external_person_id"] == "bad"
    assert rows[2]["body"] == b"what is this"
    assert await ready_messages(amqp_url, TOPOLOGY.crm_changes.name) == 0


async def kept(database_url: str, dead_letters: int) -> bool:
    (row,) = await fetch(database_url, "SELECT count(*) AS n FROM dead_letters")
    return bool(row["n"] == dead_letters)


@pytest.mark.parametrize("company_key", ["acme", "no-longer-configured"])
async def test_what_the_broker_gave_up_delivering_is_kept_change_by_change(
    tmp_path: Path, database_url: str, amqp_url: str, company_key: str
) -> None:
    body = crm_message([change("p", 1, a=1), change("q", 2, mdn="+13125550100")], company_key=company_key)
    await publish(amqp_url, [body], exchange=TOPOLOGY.dead.name, routing_key="")
    async with part("apply", environment=environment(tmp_path, database_url, amqp_url)):
        await eventually(lambda: kept(database_url, 2), "two dead letters")
    rows = await fetch(database_url, "SELECT * FROM dead_letters ORDER BY position")
    assert {(row["company_key"], row["kind"], row["stage"], row["reason"]) for row in rows} == {
        (company_key, "dead_lettered", "crm", "delivery_limit")
    }
    assert orjson.loads(rows[1]["body"]) == {
        "external_person_id": "q",
        "mdn": "+13125550100",
        "updated_at": "2024-01-01T02:00:00+00:00",
    }
    assert await fetch(database_url, "SELECT * FROM crm_persons") == []
