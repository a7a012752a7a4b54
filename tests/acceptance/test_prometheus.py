"""A real Prometheus scrapes a running pipeline: every question of the dashboards is answered, and alerts fire.

What Grafana would ask PostgreSQL is asked with the login that is made for it. One pipeline serves all of this module.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from runtime.postgres import Connection
from tests.support.dashboards import PROMQL, SQL, Query, alerts, as_promql, as_sql, queries, recorded
from tests.support.prometheus import MISSING, RATE_INTERVAL, installed
from tests.support.watched import COMPANY, Watched, watched_pipeline

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)

WITHIN_SECONDS = 40.0
"""Figures that are asked of PostgreSQL and RabbitMQ come every 15 seconds."""
ENDS_BY_ITSELF = {"database/Syncs that wait/A", "database/Reconciliations/A"}
"""What the database may hold nothing of: syncs are dealt with, and nobody reconciled."""


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with watched_pipeline() as watched:
        wait_until(lambda: all_are_scraped(watched), "a process is not scraped")  # or the story may be over before
        watched.simulator("PUT", "/faults", {"error_rate": 0.05, "too_many_requests_rate": 0.05})
        watched.tell_story(600, rate=120)  # a rate needs some seconds to be seen in
        asyncio.run(watched.end_a_batch())
        asyncio.run(watched.lose_the_route())
        watched.call_what_is_not_configured()
        watched.change_persons(range(20))
        yield watched


@pytest.fixture(scope="module")
def grafana_url(watched: Watched) -> str:
    password = "read-only"
    for _ in range(2):  # it may be run again
        made = watched.make_grafana_login(password)
        assert (made.returncode, made.stderr) == (0, "")
    return watched.grafana_url(password)


@pytest.fixture
async def grafana(grafana_url: str) -> AsyncIterator[Connection]:
    """A session as Grafana has it."""
    connection = await asyncpg.connect(grafana_url)
    yield connection
    await connection.close()


def all_are_scraped(watched: Watched) -> bool:
    found = {job: [target["health"] for target in targets] for job, targets in watched.prometheus.targets().items()}
    pipeline = {"vibes-ingest": ["up"] * 2, "vibes-apply": ["up"], "vibes-person-sync": ["up"]}
    return found == {"prometheus": ["up"], **pipeline}


def has_data(watched: Watched, promql: str) -> bool:
    """Tell whether a panel would show anything but gaps since the pipeline was started."""
    found = watched.prometheus.query_range(promql, watched.began, time.time(), 1)
    return any(math.isfinite(value) for series in found for _, value in series.points)


def wait_until(holds: Any, problem: str) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not holds():
        assert time.monotonic() < deadline, problem
        time.sleep(0.2)


def test_every_process_is_scraped(watched: Watched) -> None:
    wait_until(lambda: all_are_scraped(watched), "a process is not scraped")


@pytest.mark.parametrize("query", queries(PROMQL), ids=str)
def test_prometheus_answers_with_data(watched: Watched, query: Query) -> None:
    promql = as_promql(query.text, RATE_INTERVAL)
    wait_until(lambda: has_data(watched, promql), f"no data: {promql}")


@pytest.mark.parametrize("name", sorted(recorded()))
def test_every_recording_rule_records(watched: Watched, name: str) -> None:
    wait_until(lambda: has_data(watched, name), f"no data: {name}")


@pytest.mark.parametrize("query", queries(SQL), ids=str)
async def test_postgres_answers_grafana(watched: Watched, grafana: Connection, query: Query) -> None:
    # Sums by the hour are of an hour that may have begun before.
    began = datetime.fromtimestamp(watched.began, UTC)
    sql = as_sql(query.text, began, began + timedelta(hours=1), 1000, [COMPANY])
    deadline = time.monotonic() + WITHIN_SECONDS
    while not (rows := await grafana.fetch(sql)) and str(query) not in ENDS_BY_ITSELF:
        assert time.monotonic() < deadline, "no rows"
        await grafana.execute("SELECT pg_sleep(0.2)")

    if '"time"' in query.text:
        assert all(isinstance(row["time"], datetime) for row in rows)


def test_grafana_gets_no_login_without_a_password(watched: Watched) -> None:
    made = watched.make_grafana_login("")
    assert made.returncode != 0
    assert "set GRAFANA_DATABASE_PASSWORD" in made.stderr


async def test_grafana_can_read_and_nothing_else(grafana: Connection) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await grafana.execute("UPDATE persons SET carrier_code = '0'")
    await grafana.execute("SET default_transaction_read_only = off")
    for statement in ("UPDATE persons SET carrier_code = '0'", "CREATE TABLE mine (id int)", "SELECT FROM erasures"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await grafana.execute(statement)
    assert await grafana.fetchval("SHOW statement_timeout") == "30s"


def test_every_rule_is_evaluated_without_an_error(watched: Watched) -> None:
    def fares() -> set[str]:
        return {rule["health"] for rule in watched.prometheus.rules()}

    wait_until(lambda: fares() == {"ok"}, "a rule was not evaluated")
    assert len(watched.prometheus.rules()) == len(recorded()) + len(alerts())


@pytest.mark.parametrize("name", ["VibesWatchdog", "VibesUnconfiguredEndpoint", "VibesDeadLettersGrowing"])
def test_alerts_fire_with_words_for_people(watched: Watched, name: str) -> None:
    def fired() -> list[dict[str, Any]]:
        (rule,) = (rule for rule in watched.prometheus.rules() if rule["name"] == name)
        return [alert for alert in rule["alerts"] if alert["state"] == "firing"]

    wait_until(fired, f"{name} does not fire")
    for alert in fired():
        assert not any(
            sign in " ".join(alert["annotations"].values()) for sign in ("error expanding", "no value", "{{")
        )


def test_prometheus_counts_what_the_database_holds(watched: Watched) -> None:
    async def applied() -> int:
        connection = await asyncpg.connect(watched.stack.database_url)
        try:
            return int(await connection.fetchval("SELECT sum(applied) FROM callback_accounts"))
        finally:
            await connection.close()

    def counted() -> float:
        (total,) = watched.prometheus.query('sum(vibes_apply_callbacks_total{outcome="applied"})')
        return total.points[0][1]

    wait_until(lambda: counted() == asyncio.run(applied()) > 500, "the counts differ")
