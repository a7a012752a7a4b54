"""The apply worker finds rows by their keys, whatever PostgreSQL knows of the tables' sizes."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import workers
from runtime.postgres import Pool, create_pool, statement
from tests.support.applying import apply_bodies
from tests.support.bodies import encoded, subscription_body

TABLES = ("persons", "person_identities", "subscriptions", "callback_ledger", "crm_persons")
LOOKUPS = {
    "find_identities": {("person_identities_pkey", "company_key", "kind", "value")},
    "request_person_syncs": {("persons_pkey", "person_uid")},
    "find_crm_records_of_persons": {
        ("persons_pkey", "person_uid"),
        ("crm_persons_pkey", "company_key", "external_person_id"),
        ("crm_persons_mdn_e164", "company_key", "mdn_e164"),
    },
    "update_profiles": {("persons_pkey", "person_uid")},
}
"""Which indexes a statement uses, and the columns it looks for in each."""


def statements_of(*places: str) -> list[str]:
    """Return the names of the statements these parts of the workers execute."""
    here = Path(workers.__file__).parent
    files = [file for place in places for file in sorted(here.glob(place))]
    text = "\n".join(file.read_text() for file in files)
    return sorted(set(re.findall(r'(?:statement|_upsert)\(\s*"(\w+)"', text)))


STATEMENTS = statements_of("apply/*.py", "mirror/*.py", "sync_requests.py")
BY_COMPANY = {"find_marks"}
"""Look at all of a company, on purpose: outstanding test events are few, and one erased identity is enough."""


@pytest.fixture(params=[0, 3000], ids=["new", "filled"])
async def pool(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Pool]:
    """One of the apply worker's, on a database that may have taken some thousand persons and was never analysed."""
    count = request.param
    async with create_pool(database_url, "apply", min_size=0, max_size=1, by_key=True) as pool:
        for table in TABLES:
            await pool.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        told = ({"id": f"P{number}", "person_key": f"K{number}"} for number in range(count))
        await apply_bodies(pool, [encoded(subscription_body(event_id=person["id"], person=person)) for person in told])
        assert await pool.fetchval("SELECT count(*) FROM persons") == count
        await pool.execute(
            "INSERT INTO crm_persons (company_key, external_person_id, mdn_e164, updated_at) "
            "SELECT 'acme', 'crm-' || n, '+1' || (3125550000 + n), now() FROM generate_series(1, $1) AS n",
            count,
        )
        assert await pool.fetchval("SELECT max(reltuples) FROM pg_class WHERE relname = ANY($1)", TABLES) <= 0
        yield pool


async def plan_of(pool: Pool, name: str) -> list[dict[str, Any]]:
    """Return the nodes of the plan that a session of the worker uses for a statement, whatever its arguments."""
    text = statement(name)
    arguments = ", ".join(["NULL"] * max(map(int, re.findall(r"\$(\d+)", text)), default=0))
    async with pool.acquire() as connection:
        await connection.execute(f"PREPARE looked_at AS {text}")
        explained = await connection.fetchval(
            f"EXPLAIN (FORMAT JSON) EXECUTE looked_at {f'({arguments})' if arguments else ''}"
        )
        await connection.execute("DEALLOCATE looked_at")
    return list(nodes(json.loads(explained)[0]["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


async def test_look_ups_by_key_stay_look_ups_on_a_database_that_was_never_analysed(pool: Pool) -> None:
    looked_for = {}
    for name in LOOKUPS:
        plan = await plan_of(pool, name)
        looked_for[name] = {(node["Index Name"], *sorted(columns_of(node))) for node in plan if "Index Name" in node}
        assert "Seq Scan" not in {node["Node Type"] for node in plan}
    assert looked_for == LOOKUPS


async def test_no_statement_of_the_worker_reads_all_of_a_table_or_all_of_a_company(pool: Pool) -> None:
    assert LOOKUPS.keys() | BY_COMPANY < set(STATEMENTS)
    reads_all = {
        (name, node.get("Relation Name", node.get("Index Name")))
        for name in STATEMENTS
        if name not in BY_COMPANY
        for node in await plan_of(pool, name)
        if node["Node Type"] == "Seq Scan" or ("Index Name" in node and columns_of(node) <= {"company_key"})
    }
    assert reads_all == set()


def columns_of(node: dict[str, Any]) -> set[str]:
    """Return the columns an index is searched by."""
    return set(re.findall(r"\((\w+) = ", node.get("Index Cond", "")))
