"""A database with a history of January and February 2025 in it, which is what maintain tests are about."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from runtime.postgres import Pool, create_pool
from simulator.history.history import History
from simulator.history.spec import HistorySpec
from tests.support.history import fill_history

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
    await fill_history(pool, history)
    return history
