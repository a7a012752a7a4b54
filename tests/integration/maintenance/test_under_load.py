"""Maintain takes months out of the log while callbacks are applied and analysts read, and nobody notices."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from runtime.postgres import Pool
from simulator.history.history import History
from tests.integration.maintenance.conftest import UNTIL
from tests.support.applying import apply_bodies
from tests.support.pipeline import story
from workers.apply.reading import Outcome
from workers.maintenance.policy import Policy
from workers.maintenance.run import Done, maintain

EVERYTHING = Policy(bodies=timedelta(days=31), evidence=timedelta(days=62), ledger=timedelta(days=31))
FEBRUARY = datetime(2025, 2, 1, tzinfo=UTC)
OLD_EVENTS = "SELECT count(*) FROM callback_events WHERE received_at < '2025-03-01'"
NOTICEABLE_SECONDS = 5.0
"""Ten times what a batch takes here at worst, on a machine with other work; a lock held for long would be far above."""


async def test_no_callback_is_lost_refused_or_kept_waiting(pool: Pool, history: History) -> None:
    # Given two months, the older of which is to be dropped and the other one thinned
    now = UNTIL + timedelta(days=35)
    applied: list[Outcome] = []
    batch_seconds: list[float] = []
    seen: list[int] = []
    over = asyncio.Event()
    before = await pool.fetch("SELECT received_at FROM callback_events")

    async def apply_all_the_time(who: int) -> None:
        number = 0
        while not over.is_set():
            bodies = [body.replace(b'"event_id":"', b'"event_id":"%d-%d-' % (who, number)) for body in story(40)]
            began = time.monotonic()
            applied.extend(await apply_bodies(pool, bodies))
            batch_seconds.append(time.monotonic() - began)
            number += 1

    async def read_all_the_time() -> None:
        while not over.is_set():
            seen.append(await pool.fetchval(OLD_EVENTS))

    async def maintained() -> list[Done]:
        try:
            async with pool.acquire() as connection:
                return [done async for done in maintain(connection, EVERYTHING, now, asyncio.Event(), dry_run=False)]
        finally:
            over.set()

    # When maintain runs under load
    async with asyncio.TaskGroup() as group:
        for who in range(2):
            group.create_task(apply_all_the_time(who))
        group.create_task(read_all_the_time())
        maintaining = group.create_task(maintained())
    # Then all was done
    done = [(each.action, each.month) for each in maintaining.result() if each.action in ("thin", "drop")]
    assert done == [("drop", "2025-01"), ("thin", "2025-02")]
    assert all(each.problem is None for each in maintaining.result())
    # And every callback was applied, is in the log, and none had to wait for long
    assert len(batch_seconds) > 3
    assert set(applied) == {Outcome.APPLIED}
    recent = await pool.fetchval("SELECT count(*) FROM callback_events WHERE received_at > '2025-06-01'")
    assert recent == len(applied)
    assert max(batch_seconds) < NOTICEABLE_SECONDS
    # And whoever read saw a month as it was or as it is, nothing between
    evidence = await pool.fetchval(OLD_EVENTS)
    assert set(seen) <= {len(before), len([each for each in before if each["received_at"] >= FEBRUARY]), evidence}
    assert len(seen) > 3
