"""How PostgreSQL answers: from the months it needs only, and for sums without the log."""

import pytest

from runtime.postgres import Pool
from tests.support.analytics import contract

READS_THE_LOG = {"person_history", "subscription_lists"}
"""The latter only what was told of lists, by an index."""


async def plan(pool: Pool, query: str) -> str:
    return "\n".join(row[0] for row in await pool.fetch(f"EXPLAIN {query}"))


@pytest.mark.parametrize("where", ["received_at >= '2024-05-03 00:00+00' AND received_at < '2024-06-01 00:00+00'"])
async def test_a_range_of_time_leaves_out_the_other_months_of_the_log(pool: Pool, where: str) -> None:
    all_months = await plan(pool, "SELECT count(*) FROM analytics.person_history")
    one_month = await plan(pool, f"SELECT count(*) FROM analytics.person_history WHERE {where}")  # noqa: S608 - of ours
    assert "callback_events_2024_01" in all_months
    assert "callback_events_2024_05" in one_month
    for other in ("2024_01", "2024_04", "2024_06", "2024_12", "default"):
        assert f"callback_events_{other}" not in one_month


async def test_one_persons_history_is_found_by_an_index_in_every_month(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        rows = await connection.fetch(
            "EXPLAIN SELECT * FROM analytics.person_history WHERE person_uid = '00000000-0000-0000-0000-000000000000'"
        )
    shown = "\n".join(row[0] for row in rows)
    assert "Seq Scan on callback_events" not in shown
    assert "company_key_person_id_idx" in shown


@pytest.mark.parametrize("view", [view for view in contract()["views"] if view not in READS_THE_LOG])
async def test_the_other_views_do_not_read_the_log(pool: Pool, view: str) -> None:
    assert "callback_events" not in await plan(pool, f"SELECT * FROM analytics.{view}")  # noqa: S608 - a view of ours


async def test_what_a_query_does_not_ask_for_is_not_looked_up(pool: Pool) -> None:
    shown = await plan(pool, "SELECT list_id, count(*) FROM analytics.current_subscribers GROUP BY list_id")
    assert "persons" not in shown
