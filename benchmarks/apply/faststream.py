"""The same backlog for FastStream and asyncpg: one message, one event, one transaction, many of them at a time.

Measured in three ways: tuned, statement by statement; as documented, without the tuning; and at its best, tuned and
with an event in one statement.
"""

import asyncio
import secrets
from collections.abc import Sequence

import aio_pika
import asyncpg

from benchmarks.apply.backlog import COMPANY, Expected
from benchmarks.apply.databases import fresh_database
from benchmarks.apply.gate import held
from benchmarks.apply.progress import follow
from benchmarks.person_sync.fleet import until
from benchmarks.queued import fill_rival, waiting
from benchmarks.rivals.start import start
from benchmarks.rivals.store import create_tables
from deploy.local.errors import ServiceError
from deploy.local.stack import Stack

ONE_STATEMENT = "--one-statement"
"""The option for its best case."""
AS_DOCUMENTED = "--as-documented"
"""The option for the rival without tuning."""
_EVENTS = "SELECT count(*) FROM rival.events"
_KEYS = "SELECT count(*) FROM rival.ledger"
_PATIENCE_SECONDS = 20.0


def faststream_rate(blank: Stack, bodies: Sequence[bytes], expected: Expected, *options: str) -> float:
    """Have the rival, with `options` of its own, empty a queue; return events a second, duplicates included.

    `blank` is a stack whose database nobody uses. Raises ServiceError when an event is lost or there twice.
    """
    name = f"rival-{secrets.token_hex(4)}"
    amqp_url = blank.environment["AMQP_URL"]
    with fresh_database(blank) as url, asyncio.Runner() as runner:
        pool = runner.run(_prepare(url))
        runner.run(fill_rival(amqp_url, name, COMPANY, bodies))
        with held(url, "rival.ledger"):
            environment = {"DATABASE_URL": url, "AMQP_URL": amqp_url, "RIVAL_QUEUE": name}
            rival = start(blank.workspace, "faststream_apply", environment, *options)
        progress = follow(lambda: runner.run(pool.fetchval(_EVENTS)), expected.events, rival.check)
        until(
            lambda: None if runner.run(waiting(amqp_url, name)) else True, "messages are left over", _PATIENCE_SECONDS
        )
        rival.stop()
        kept = (runner.run(pool.fetchval(_EVENTS)), runner.run(pool.fetchval(_KEYS)))
        given_back = runner.run(_delete_queue(amqp_url, name))
        runner.run(pool.close())
    if kept != (expected.events, expected.events) or given_back:
        raise ServiceError(f"{rival.name} kept {kept} events and keys of {expected}, and gave {given_back} back")
    # The database shows how many events there are; every one stands for so many callbacks.
    return progress.events / progress.seconds * expected.callbacks / expected.events


async def _prepare(url: str) -> "asyncpg.Pool[asyncpg.Record]":
    pool = await asyncpg.create_pool(url, min_size=1, max_size=1)
    await create_tables(pool)
    return pool


async def _delete_queue(amqp_url: str, name: str) -> int:
    """Delete a queue; return how many messages were in it."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        return (await channel.queue_delete(name)).message_count or 0
