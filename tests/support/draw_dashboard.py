"""`python -m tests.support.draw_dashboard`: docs/operations/dashboard.png, drawn from a pipeline that runs for minutes.

It starts the pipeline, the simulator and Prometheus, lets happen what happens in operation (a steady day, a broadcast,
an outage of the database, changes of the CRM), and asks the dashboard's own questions.
"""

import asyncio
import sys
import time
from pathlib import Path

import asyncpg

from tests.support.dashboard_picture import draw
from tests.support.dashboards import DASHBOARDS, ROOT, as_promql, dashboard
from tests.support.prometheus import Series
from tests.support.watched import Watched, watched_pipeline

PICTURE = ROOT / "docs" / "operations" / "dashboard.png"
_STEADY = 40.0
"""Callbacks a second."""
_PHASE_SECONDS = 35
_OUTAGE_SECONDS = 12
_BETWEEN_SECONDS = 4
_RATE_INTERVAL = "8s"


def main() -> int:
    """Write the picture; return the exit code."""
    (operators,) = (path for path in DASHBOARDS if path.stem == "operators")
    with watched_pipeline() as watched:
        asyncio.run(_operate(watched))
        began, ended = watched.began, time.time()

        def ask(promql: str, instant: bool) -> list[Series]:
            text = as_promql(promql, _RATE_INTERVAL)
            return watched.prometheus.query(text) if instant else watched.prometheus.query_range(text, began, ended, 1)

        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        draw(dashboard(operators), ask, PICTURE)
    sys.stdout.write(f"written to {Path(PICTURE).relative_to(ROOT)}\n")
    return 0


async def _operate(watched: Watched) -> None:
    watched.simulator("PUT", "/faults", {"error_rate": 0.02, "too_many_requests_rate": 0.01, "latency_seconds": 0.1})
    # A counter that has just begun shows no rate, so what is rare happens more than once.
    steady = _steadily(watched)
    await watched.end_a_batch()
    await _finished(watched, steady)
    broadcast = watched.tell_story(6_000, malformed=60, documented=False)
    await watched.end_a_batch()
    await _finished(watched, broadcast)
    steady = _steadily(watched)
    for first in range(0, 60, 20):
        watched.change_persons(range(first, first + 20))
        await asyncio.sleep(_BETWEEN_SECONDS)
    watched.call_what_is_not_configured()
    await watched.lose_the_route()
    await _outage(watched)
    await _finished(watched, steady)


def _steadily(watched: Watched) -> str:
    return watched.tell_story(int(_STEADY * _PHASE_SECONDS), rate=_STEADY, malformed=5, documented=False)


async def _outage(watched: Watched) -> None:
    """Keep apply from committing: what makes the lag rise, and fall again."""
    connection = await asyncpg.connect(watched.stack.database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE persons IN EXCLUSIVE MODE")
            await connection.execute("SELECT pg_sleep($1)", _OUTAGE_SECONDS)
    finally:
        await connection.close()


async def _finished(watched: Watched, run: str) -> None:
    running = True
    while running:
        await asyncio.sleep(0.5)
        running = watched.simulator("GET", f"/runs/{run}")["state"] == "running"


if __name__ == "__main__":
    sys.exit(main())
