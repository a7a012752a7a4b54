"""What is added up step by step is what a look at everything gives, whatever happened in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.postgres import Pool, create_pool, statement
from tests.support.analytics import roll_up
from tests.support.applying import apply_bodies, clear
from tests.support.bodies import documented_bodies, encoded, subscription_body

STORED = (
    "stay_days",
    "list_days",
    "stay_cohorts",
    "stay_lengths",
    "repeated_stays",
    "doubtful_stays",
    "callback_hours",
    "participations",
    "push_devices",
    "wallet_items",
    "inbound_messages",
    "event_outcomes",
)


@pytest.fixture
async def empty(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "test", min_size=1, max_size=2) as pool:
        yield pool


def stay(kind: str, begin: str, end: str | None = None, person: str = "P1", **fields: Any) -> bytes:
    """A subscription event; its id tells what it is about, so that told again it is a duplicate."""
    event_id = f"{kind} {person} {begin} {end}"
    dates = {"opt_in_date": begin or None} | ({"opt_out_date": end} if end else {})
    return encoded(subscription_body(kind, event_id=event_id, person={"id": person}, **dates, **fields))


async def stored(pool: Pool) -> dict[str, list[str]]:
    """Return all sums that are not zero, and all states."""
    found = {}
    for table in STORED:
        rows = await pool.fetch(f"SELECT * FROM analytics_store.{table}")  # noqa: S608 - a table of ours
        counts = ("opt_ins", "opt_outs", "stays")
        found[table] = sorted(
            repr(tuple(row)) for row in rows if not any(n in row for n in counts) or any(row.get(n) for n in counts)
        )
    return found


async def test_added_up_in_any_portions_it_is_the_same_as_made_anew(empty: Pool) -> None:
    told = [
        stay("removed", "2024-01-01T00:00Z", "2024-02-01T00:00Z"),
        stay("added", "2024-01-01T00:00Z", acquisition_campaign={"id": "A"}),
        stay("added", "2024-03-01T00:00Z"),
        stay("removed", "", "2024-04-01T00:00Z"),
        stay("added", "2024-05-01T00:00Z"),
        stay("added", "2024-05-01T00:00Z", person="P2"),
        *documented_bodies(),
    ]
    for body in told + told[::-1]:
        await apply_bodies(empty, [body])
        await empty.fetchval("SELECT analytics_store.roll_up(1)")
    await roll_up(empty)
    kept = await stored(empty)

    await empty.execute("SELECT analytics_store.rebuild()")

    assert await stored(empty) == kept
    assert all(kept.values()), "every sum and state has something in it"


async def test_a_stay_whose_end_was_lost_is_in_doubt_and_no_subscriber(empty: Pool) -> None:
    # Given somebody who joined, was seen joining again, and left for good: the first end was never told
    await apply_bodies(
        empty,
        [stay("added", "2024-01-01T00:00Z"), stay("added", "2024-03-01T00:00Z")],
        [stay("removed", "2024-03-01T00:00Z", "2024-04-01T00:00Z")],
    )
    await roll_up(empty)

    in_doubt = await empty.fetch("SELECT opt_in_date FROM analytics.subscription_stays WHERE in_doubt")
    assert [row["opt_in_date"] for row in in_doubt] == [datetime(2024, 1, 1, tzinfo=UTC)]
    assert await empty.fetchval("SELECT count(*) FROM analytics.current_subscribers") == 0
    growth = await empty.fetch("SELECT day::text, subscribers FROM analytics.list_growth ORDER BY day")
    assert [tuple(row) for row in growth] == [("2024-01-01", 1), ("2024-03-01", 1), ("2024-04-01", 0)]

    # When the missing end is told after all
    await apply_bodies(empty, [stay("removed", "2024-01-01T00:00Z", "2024-02-01T00:00Z")])
    await roll_up(empty)

    assert not await empty.fetch("SELECT FROM analytics.subscription_stays WHERE in_doubt")
    growth = await empty.fetch("SELECT day::text, subscribers FROM analytics.list_growth ORDER BY day")
    assert [row["subscribers"] for row in growth] == [1, 0, 1, 0]


async def test_subscribers_are_those_the_pipeline_itself_takes_for_subscribed(empty: Pool) -> None:
    await apply_bodies(
        empty,
        [stay("added", "2024-01-01T00:00Z"), stay("removed", "", "2024-02-01T00:00Z")],
        [stay("added", "2024-01-01T00:00Z", person="P2"), stay("removed", "", "2024-01-01T00:00Z", person="P2")],
        [stay("added", "2024-01-02T00:00Z", person="P3"), stay("removed", "", "2024-01-01T00:00Z", person="P3")],
    )
    await roll_up(empty)
    query = "SELECT person_uid, list_id FROM {} ORDER BY 1"
    ours = await empty.fetch(query.format("analytics.current_subscribers"))
    assert ours == await empty.fetch(query.format("current_subscriptions"))
    assert len(ours) == 1
    last = await empty.fetchval("SELECT subscribers FROM analytics.list_growth ORDER BY day DESC LIMIT 1")
    assert last == len(ours)


async def test_persons_that_turn_out_to_be_one_are_counted_as_one(empty: Pool) -> None:
    told = subscription_body(event_id="1", person={"id": "P1"}, opt_in_date="2024-01-01T00:00Z")
    again = subscription_body(event_id="2", person={"person_key": "K1"}, opt_in_date="2024-01-01T00:00Z")
    await apply_bodies(empty, [encoded(told)], [encoded(again)])
    await roll_up(empty)
    query = "SELECT sum(opt_ins) FROM analytics.opt_ins_and_opt_outs_daily"
    assert await empty.fetchval(query) == 2

    await apply_bodies(empty, [encoded(subscription_body(event_id="3", opt_in_date="2024-01-01T00:00Z"))])
    await roll_up(empty)

    assert await empty.fetchval(query) == 1


async def test_what_is_erased_leaves_the_states_in_the_same_moment(empty: Pool) -> None:
    await apply_bodies(empty, documented_bodies())
    await roll_up(empty)
    before = await empty.fetchval("SELECT sum(callbacks) FROM analytics.callback_volume")
    assert await empty.fetchval("SELECT count(*) FROM analytics.participations") == 1

    # When the log is blanked as an erasure does it, month by month
    partition = await empty.fetchval("SELECT tableoid::regclass::text FROM callback_events LIMIT 1")
    await empty.execute(f"UPDATE {partition} SET callback_type = 'erased', payload = '{{}}'")  # noqa: S608 - a name of ours

    for view in ("participations", "push_devices", "wallet_items", "inbound_messages", "event_outcomes"):
        assert await empty.fetchval(f"SELECT count(*) FROM analytics.{view}") == 0  # noqa: S608 - a view of ours
    await roll_up(empty)
    assert await empty.fetchval("SELECT count(*) FROM analytics.participations") == 0
    assert await empty.fetchval("SELECT sum(callbacks) FROM analytics.callback_volume") == before


async def test_what_a_replay_applies_is_counted_once_even_if_its_message_is_not_added_up_yet(empty: Pool) -> None:
    (first, second) = documented_bodies()[:2]
    await apply_bodies(empty, [first, second])
    # Given the second was set aside, and a replay has applied it under its receipt
    await empty.execute("UPDATE callback_messages SET outcomes = 'aq', applied = 1")
    await empty.execute("UPDATE callback_messages SET outcomes = 'aa', applied = 2")
    await roll_up(empty)
    assert await empty.fetchval("SELECT sum(events) FROM analytics.delivery_delay") == 2


async def test_only_one_adds_up_at_a_time_and_the_other_does_not_wait(empty: Pool) -> None:
    await apply_bodies(empty, documented_bodies())
    async with empty.acquire() as one, empty.acquire() as other, one.transaction():
        assert await one.fetchval("SELECT analytics_store.roll_up()") > 0
        assert await other.fetchval("SELECT analytics_store.roll_up()") == 0


MOMENTS = st.sampled_from(["2024-01-01T00:00Z", "2024-01-02T00:00Z", "2024-01-02T00:00:01Z", "2024-03-01T00:00Z"])
STAYS = st.one_of(
    st.builds(stay, st.just("added"), MOMENTS, person=st.sampled_from(["P1", "P2"])),
    st.builds(stay, st.just("removed"), st.one_of(MOMENTS, st.just("")), MOMENTS, st.sampled_from(["P1", "P2"])),
)


def test_stays_told_in_any_order_and_added_up_in_any_portions_give_the_same_numbers(database_url: str) -> None:
    async def told(pool: Pool, bodies: list[bytes], portion: int) -> dict[str, list[str]]:
        await clear(pool)
        await roll_up(pool)
        for body in bodies:
            await apply_bodies(pool, [body])
            await pool.fetchval("SELECT analytics_store.roll_up($1)", portion)
        await roll_up(pool)
        subscribers = "SELECT DISTINCT person_uid FROM {} ORDER BY 1"
        shown = await pool.fetch(subscribers.format("analytics.current_subscribers"))
        assert shown == await pool.fetch(subscribers.format("current_subscriptions"))
        size = "SELECT coalesce((SELECT subscribers FROM analytics.list_growth ORDER BY day DESC LIMIT 1), 0)"
        assert await pool.fetchval(size) == len(shown)
        return {table: rows for table, rows in (await stored(pool)).items() if table in STORED[:6]}

    with asyncio.Runner() as runner:
        pool = runner.run(connect(database_url))

        @settings(max_examples=40)
        @given(st.lists(STAYS, min_size=2, max_size=5), st.integers(1, 3), st.data())
        def check(bodies: list[bytes], portion: int, data: st.DataObject) -> None:
            shuffled = data.draw(st.permutations(bodies + bodies[:2]))
            assert runner.run(told(pool, shuffled, portion)) == runner.run(told(pool, bodies, 50_000))

        try:
            check()
        finally:
            runner.run(pool.close())


async def connect(database_url: str) -> Pool:
    return await create_pool(database_url, "test", min_size=1, max_size=2)


async def test_a_worker_notes_and_adds_up_without_any_right_on_what_is_kept(empty: Pool) -> None:
    async with empty.acquire() as connection:
        await connection.execute("SET ROLE vibes_worker")
        await connection.execute(
            "INSERT INTO subscriptions (person_uid, company_key, list_id, opt_in_date) "
            "VALUES ('00000000-0000-0000-0000-000000000001', 'acme', 'L1', '2024-01-01')"
        )
        assert await connection.fetchval(statement("analytics_roll_up"), 50_000) == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM analytics_store.stay_days")
        await connection.execute("RESET ROLE")
    assert await empty.fetchval("SELECT opt_ins FROM analytics.list_growth") == 1


async def test_a_database_that_was_never_analysed_is_before_sums_are_looked_up_in_it(empty: Pool) -> None:
    # Given a database that autovacuum has not visited yet, and one who has told of a person
    analysed = "SELECT reltuples >= 0 FROM pg_class WHERE oid = 'person_identities'::regclass"
    await apply_bodies(empty, [stay("added", "2024-01-01T00:00Z")])
    assert not await empty.fetchval(analysed)
    # When it is added up, then the planner knows what identities there are
    await roll_up(empty)
    assert await empty.fetchval(analysed)
