"""How long analysts wait: the question of each view in docs/data-dictionary.md, with ten million events."""

import asyncio
import math
import os
import secrets
import time
from importlib.resources import files
from statistics import median
from typing import Any

import orjson
from rich.console import Console

from benchmarks.analytics.history import make_year
from benchmarks.effort import Effort
from deploy.local.postgres import PostgresServer
from runtime.migrations import migrate
from runtime.postgres import Connection, connect

SIZES = {Effort.FULL: (10_000_000, 20), Effort.QUICK: (200_000, 5), Effort.SMOKE: (2_000, 2)}
"""How many events there are, and how often each question is asked."""
ROLE = "vibes_analyst"
_LOGIN = {"work_mem": "64MB", "timezone": "UTC", "statement_timeout": "60s"}
"""What a login made with analyst_login() has."""


def run(console: Console, effort: Effort) -> dict[str, Any]:
    """Measure a database that is dropped in the end. Raises ServiceError, and what asyncpg raises."""
    events, runs = SIZES[effort]
    server = PostgresServer(os.environ["DATABASE_URL"])
    name = f"vp_bench_analytics_{secrets.token_hex(4)}"
    try:
        return asyncio.run(_measure(console, server.create_database(name), events, runs))
    finally:
        server.drop_database(name)


async def _measure(console: Console, database_url: str, events: int, runs: int) -> dict[str, Any]:
    await migrate(database_url)
    console.print(f"making the rows of {events:,} events ...")
    rebuild_seconds = await make_year(database_url, events)
    connection = await connect(database_url, "bench", server_settings=_LOGIN)
    try:
        ((stored, stays, persons),) = await connection.fetch(
            "SELECT (SELECT count(*) FROM callback_events), (SELECT count(*) FROM subscriptions), "
            "(SELECT count(*) FROM persons)"
        )
        await connection.execute(f"SET ROLE {ROLE}")
        seconds = {view: await _ask(connection, query, runs) for view, query in questions().items()}
    finally:
        await connection.close()
    return {
        "events": stored,
        "stays": stays,
        "persons": persons,
        "runs": runs,
        "p95_seconds": {view: round(_p95(each), 4) for view, each in seconds.items()},
        "median_seconds": {view: round(median(each), 4) for view, each in seconds.items()},
        "slowest_p95_seconds": round(max(map(_p95, seconds.values())), 4),
        "rebuild_seconds": round(rebuild_seconds, 1),
    }


def questions() -> dict[str, str]:
    """Return the query of each view's example, in the order of the contract."""
    directory = files("schemas") / "analytics"
    views = orjson.loads((directory / "contract.json").read_text())["views"]
    return {view: (directory / "examples" / f"{view}.sql").read_text() for view in views}


async def _ask(connection: Connection, query: str, runs: int) -> list[float]:
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        await connection.fetch(query)
        seconds.append(time.perf_counter() - began)
    return seconds


def _p95(seconds: list[float]) -> float:
    """Return what 95 of 100 runs did not take longer than: of 20, the slowest but one."""
    return sorted(seconds)[math.ceil(len(seconds) * 0.95) - 1]
