"""Two batches under way at the same time that hold the same event."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from runtime.postgres import Pool, create_pool, statement
from tests.support.applying import COMPANIES, message
from tests.support.ingest import eventually
from tests.support.pipeline import story
from workers.apply.reading import Outcome, read_message
from workers.apply.settle import settle

SHARED = 3
"""Place of the event that the other batch has claimed."""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "test", min_size=0, max_size=4) as pool:
        yield pool


async def logged_but_not_committed(pool: Pool) -> bool:
    """Whether a transaction waits for another one's row, having written to the log before."""
    return bool(
        await pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity AS waiting JOIN pg_locks AS held USING (pid)"
            " WHERE waiting.wait_event_type = 'Lock' AND held.relation::regclass::text LIKE 'callback_events%'"
            " AND held.mode = 'RowExclusiveLock' AND waiting.datname = current_database()"
        )
    )


@pytest.mark.parametrize(
    ("commits", "outcome"), [(True, Outcome.DUPLICATE), (False, Outcome.APPLIED)], ids=["commits", "is rolled back"]
)
async def test_the_second_one_does_the_others_first_and_then_waits_to_see_what_becomes_of_the_first(
    pool: Pool, database_url: str, commits: bool, outcome: Outcome
) -> None:
    # Given a transaction that has claimed one of a batch's events
    read = read_message(message(story(10)), lambda _: "US")
    events = [callback.event for callback in read.callbacks if callback.event]
    shared = events[SHARED]
    other: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(database_url)
    transaction = other.transaction()
    await transaction.start()
    await other.fetch(statement("claim_callbacks"), [shared.key], [shared.body.hash], [datetime.now(UTC)])
    # When the batch is settled, and knows of it
    settling = asyncio.create_task(settle(pool, [read], COMPANIES, elsewhere={shared.key}))
    # Then it has written all others to the log when it begins to wait
    await eventually(lambda: logged_but_not_committed(pool), "the batch waits, having logged the others")
    # And it finds out what became of the first
    await (transaction.commit() if commits else transaction.rollback())
    settled = await settling
    outcomes = [settled.outcomes[callback.receipt] for callback in read.callbacks]
    assert outcomes.pop(SHARED) is outcome
    assert outcomes == [Outcome.APPLIED] * 9
    assert await pool.fetchval("SELECT count(*) FROM callback_events") == (9 if commits else 10)
    await other.close()
