"""The apply worker as a process, on a real broker and a real database, through what goes wrong."""

import asyncio
import signal
from pathlib import Path

import asyncpg

from deploy.local.postgres import LocalPostgres
from schemas.broker_message import CallbackMessage
from tests.support.applying import message
from tests.support.ingest import eventually
from tests.support.pipeline import TOPOLOGY, environment_for, part, publish, ready_messages, story


def groups(bodies: list[bytes], size: int) -> list[CallbackMessage]:
    return [message(bodies[start : start + size]) for start in range(0, len(bodies), size)]


async def wait_until_settled(database_url: str, callbacks: int) -> dict[str, int]:
    """Wait until that many callbacks have an outcome; return the numbers of each."""
    connection = await asyncpg.connect(database_url)
    query = (
        "SELECT coalesce(sum(applied), 0)::int AS applied, coalesce(sum(duplicates), 0)::int AS duplicates, "
        "coalesce(sum(quarantined), 0)::int AS quarantined, coalesce(sum(dead_lettered), 0)::int AS dead_lettered "
        "FROM callback_messages"
    )

    async def settled() -> bool:
        row = await connection.fetchrow(query)
        return row is not None and sum(row.values()) >= callbacks

    try:
        await eventually(settled, f"{callbacks} callbacks settled", within=60)
        row = await connection.fetchrow(query)
        assert row is not None
        return dict(row)
    finally:
        await connection.close()


async def logged_events(database_url: str) -> list[str]:
    connection = await asyncpg.connect(database_url)
    try:
        return [row[0] for row in await connection.fetch("SELECT event_id FROM callback_events ORDER BY event_id")]
    finally:
        await connection.close()


async def test_every_callback_gets_exactly_one_outcome_and_is_acked(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    bodies = story(300)
    bad = [b"{", b"[]", b"", b'{"callback_type":"from_the_future"}']
    await publish(amqp_url, groups([*bodies, *bodies[:30], *bad], 20))

    async with part("apply", environment=environment_for(tmp_path, database_url, amqp_url)) as worker:
        outcomes = await wait_until_settled(database_url, 334)
        await worker.signal(signal.SIGTERM)

    assert outcomes == {"applied": 300, "duplicates": 30, "quarantined": 4, "dead_lettered": 0}
    assert await ready_messages(amqp_url, TOPOLOGY.apply_queue(0).name) == 0


async def test_a_worker_killed_in_mid_batch_loses_nothing_and_applies_nothing_twice(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    bodies = story(400)
    await publish(amqp_url, groups(bodies, 10))
    environment = environment_for(tmp_path, database_url, amqp_url, apply_batch_callbacks=20)
    # Somebody holds the ledger, so the worker is in the middle of its transaction when it is killed.
    holder, watcher = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    try:
        async with holder.transaction(), part("apply", environment=environment) as killed:
            await holder.execute("LOCK TABLE callback_ledger")
            await eventually(lambda: waits_for_lock(watcher), "the worker is in a transaction")
            await killed.signal(signal.SIGKILL)
    finally:
        await holder.close()
        await watcher.close()

    async with part("apply", environment=environment) as first, part("apply", environment=environment) as second:
        await asyncio.gather(first.logged("apply.consuming"), second.logged("apply.consuming"))
        outcomes = await wait_until_settled(database_url, 400)

    assert outcomes == {"applied": 400, "duplicates": 0, "quarantined": 0, "dead_lettered": 0}
    assert await logged_events(database_url) == sorted(f"event-{number}" for number in range(400))


async def waits_for_lock(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    waiting = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return bool(waiting)


async def test_a_worker_killed_between_commit_and_ack_leaves_a_message_that_is_skipped(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    told = message(story(5))
    environment = environment_for(tmp_path, database_url, amqp_url)
    async with part("apply", environment=environment):
        await publish(amqp_url, [told])
        await wait_until_settled(database_url, 5)
        # The very same message once more is what the broker sends when the ack did not reach it.
        await publish(amqp_url, [told, message(story(1, start=5))])
        outcomes = await wait_until_settled(database_url, 6)

    assert outcomes == {"applied": 6, "duplicates": 0, "quarantined": 0, "dead_lettered": 0}


async def test_postgres_stopped_dead_letters_nothing_and_everything_is_applied_after_it_returns(
    tmp_path: Path, own_postgres: LocalPostgres, own_database_url: str, amqp_url: str
) -> None:
    environment = environment_for(tmp_path, own_database_url, amqp_url, apply_batch_callbacks=10)
    async with part("apply", environment=environment) as worker:
        await publish(amqp_url, groups(story(50), 5))
        await wait_until_settled(own_database_url, 50)

        await asyncio.to_thread(own_postgres.stop, "immediate")
        await publish(amqp_url, groups(story(200, start=50), 5))
        await worker.logged("apply.postgres_unavailable", times=3)
        await asyncio.to_thread(own_postgres.start)

        outcomes = await wait_until_settled(own_database_url, 250)
        assert worker.process.returncode is None

    assert outcomes == {"applied": 250, "duplicates": 0, "quarantined": 0, "dead_lettered": 0}
    assert await logged_events(own_database_url) == sorted(f"event-{number}" for number in range(250))


async def test_a_worker_starts_without_postgres_and_stops_without_it(
    tmp_path: Path, own_postgres: LocalPostgres, own_database_url: str, amqp_url: str
) -> None:
    await asyncio.to_thread(own_postgres.stop)
    await publish(amqp_url, groups(story(20), 5))
    environment = environment_for(tmp_path, own_database_url, amqp_url)
    async with part("apply", environment=environment) as worker:
        await worker.logged("apply.postgres_unavailable", times=2)
        await worker.signal(signal.SIGTERM)
        assert worker.process.returncode == 0
    assert await ready_messages(amqp_url, TOPOLOGY.apply_queue(0).name) == 4


async def test_an_event_the_database_refuses_is_dead_lettered_alone_and_its_batch_mates_are_applied(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    # Too long for an index: random, so that it cannot be compressed to fit.
    refused = story(1)[0].replace(b'"L1"', b'"' + bytes(f"{'x'.join(map(str, range(3000)))}", "ascii") + b'"')
    refused = refused.replace(b"event-0", b"refused")
    await publish(amqp_url, [message([*story(30), refused, *story(30, start=30)])])
    async with part("apply", environment=environment_for(tmp_path, database_url, amqp_url)):
        outcomes = await wait_until_settled(database_url, 61)

    assert outcomes == {"applied": 60, "duplicates": 0, "quarantined": 0, "dead_lettered": 1}
    connection = await asyncpg.connect(database_url)
    (dead,) = await connection.fetch("SELECT * FROM dead_letters")
    await connection.close()
    assert (dead["kind"], dead["stage"], dead["reason"]) == ("dead_lettered", "apply", "refused_by_database")
    assert dead["body"] == refused
    assert dead["event_id"] == "refused"


async def test_a_message_that_is_not_ours_is_kept_whole_and_holds_nobody_up(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    await publish(amqp_url, [b"what is this", *groups(story(5), 5), b'{"version": "?"}\n'])
    async with part("apply", environment=environment_for(tmp_path, database_url, amqp_url)):
        await wait_until_settled(database_url, 5)
        connection = await asyncpg.connect(database_url)

        async def kept() -> bool:
            return bool(await connection.fetchval("SELECT count(*) = 2 FROM dead_letters"))

        await eventually(kept, "both foreign messages are kept")
        rows = await connection.fetch("SELECT reason, body FROM dead_letters ORDER BY id")
        await connection.close()
    assert [(row["reason"], row["body"]) for row in rows] == [
        ("unreadable_envelope", b"what is this"),
        ("unknown_version", b'{"version": "?"}\n'),
    ]
    assert await ready_messages(amqp_url, TOPOLOGY.apply_queue(0).name) == 0


async def test_what_the_broker_gave_up_delivering_is_kept_callback_by_callback_unless_it_was_applied(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    applied, given_up = message(story(3)), message([*story(2, start=3), b"{"])
    environment = environment_for(tmp_path, database_url, amqp_url)
    async with part("apply", environment=environment):
        await publish(amqp_url, [applied])
        await wait_until_settled(database_url, 3)
        await publish(amqp_url, [applied, given_up], exchange=TOPOLOGY.dead.name, routing_key="")
        outcomes = await wait_until_settled(database_url, 6)

    assert outcomes == {"applied": 3, "duplicates": 0, "quarantined": 1, "dead_lettered": 2}
    connection = await asyncpg.connect(database_url)
    reasons = [row[0] for row in await connection.fetch("SELECT reason FROM dead_letters ORDER BY position")]
    await connection.close()
    assert reasons == ["delivery_limit", "delivery_limit", "not_json"]


async def test_a_read_only_database_is_waited_for_and_costs_no_delivery(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    database = database_url.rpartition("/")[2]
    connection = await asyncpg.connect(database_url)
    await connection.execute(f'ALTER DATABASE "{database}" SET default_transaction_read_only = on')
    await publish(amqp_url, groups(story(20), 5))
    async with part("apply", environment=environment_for(tmp_path, database_url, amqp_url)) as worker:
        await worker.logged("apply.postgres_unavailable", times=2)
        assert worker.events("apply.consuming") == []
        await connection.execute(f'ALTER DATABASE "{database}" SET default_transaction_read_only = off')
        # The sessions of the pool keep the setting they began with; a failover would end them too.
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        outcomes = await wait_until_settled(database_url, 20)
    await connection.close()
    assert outcomes == {"applied": 20, "duplicates": 0, "quarantined": 0, "dead_lettered": 0}
