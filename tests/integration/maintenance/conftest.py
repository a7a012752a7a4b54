"""A database with a history of January and February 2025 in it, which is what maintain tests are about."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from cli.history.filling import apply_history, make_partitions
from runtime.postgres import Pool, create_pool
from simulator.history.history import History
from simulator.history.spec import HistorySpec

UNTIL = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "test", min_size=1, max_size=6) as pool:
        yield pool


@pytest.fixture(autouse=True)
def one_month_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of 2025: all thirteen months would take longer to make than everything else."""
    monkeypatch.setattr("workers.maintenance.plan.MONTHS_AHEAD", 1)


@pytest.fixture
async def history(pool: Pool) -> History:
    history = History(HistorySpec("acme", UNTIL - timedelta(days=59), UNTIL, 800))
    async with pool.acquire() as connection:
        await make_partitions(connection, history.spec)
    await apply_history(pool, history, asyncio.Event(), lambda _: None)
    return history
