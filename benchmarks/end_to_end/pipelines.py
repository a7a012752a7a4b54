"""The two pipelines, each an ingest and an apply process, with a queue and a database of its own."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import aio_pika
import asyncpg

from benchmarks.rivals.start import start
from deploy.local.errors import ServiceError
from deploy.local.processes import log_tail
from deploy.local.stack import Stack

COMPANY = "bench"
OURS_PARTS = ("ingest", "apply")
RIVALS = ("faststream_ingest", "faststream_apply")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One that takes callbacks at `url`."""

    name: str
    url: str
    database_url: str
    applied: str
    """Statement that tells how many events were applied: cheap, as it is asked all the time, and with what they
    changed committed."""
    backlog: int
    """Callbacks that may be under way: so many that no part ever waits for work, and less than a second or two of it.
    Those that the consumer has prefetched count."""
    check: Callable[[], None]
    """Raises ServiceError when a process has ended."""
    finish: Callable[[int, int], None]
    """Drains and stops the pipeline, then raises ServiceError unless it has so many callbacks, of so many events, once
    each."""


def ours(stack: Stack) -> Pipeline:
    """Return the pipeline of a stack with ingest and apply.

    Nobody calls the Person API here; that a person is due is written and published all the same.
    """

    def check() -> None:
        for part in stack.parts.values():
            if part.process.poll() is not None:
                raise ServiceError(f"{part.name} ended ({part.process.returncode}): {log_tail(part.log_file)}")

    def finish(callbacks: int, events: int) -> None:
        stack.parts["ingest"].stop()  # its last report says how many callbacks it has acknowledged
        audit = json.loads(stack.command("audit", "--json", check=False))
        stack.parts["apply"].stop()
        (account,) = audit["accounts"]
        found = {name: account[name] for name in ("acknowledged", "applied", "duplicates", "missing", "unreported")}
        found["log"] = asyncio.run(ask(stack.database_url, "SELECT count(*) FROM callback_events"))
        duplicates = callbacks - events
        wanted = dict(zip(found, (callbacks, events, duplicates, 0, 0, events), strict=True))
        if found != wanted:
            raise ServiceError(f"the pipeline's audit finds {found}, which should be {wanted}")

    return Pipeline(
        "ours",
        stack.callback_url(COMPANY),
        stack.database_url,
        "SELECT coalesce(sum(applied), 0)::bigint FROM callback_messages",
        backlog=4000,
        check=check,
        finish=finish,
    )


def faststream(stack: Stack) -> Pipeline:
    """Start the one made of FastAPI, FastStream and asyncpg beside a stack, on the same services."""
    queue = f"{stack.environment['VIBES_PIPELINE_QUEUE_PREFIX']}.faststream"
    amqp_url = stack.environment["AMQP_URL"]
    database_url = stack.postgres.create_database(f"{stack.database_url.rpartition('/')[2]}_rival")
    environment = {"RIVAL_QUEUE": queue, "AMQP_URL": amqp_url, "DATABASE_URL": database_url}
    with ThreadPoolExecutor() as pool:
        rivals = list(pool.map(lambda name: start(stack.workspace, name, environment), RIVALS))

    def check() -> None:
        for rival in rivals:
            rival.check()

    def finish(_callbacks: int, events: int) -> None:
        for rival in rivals:
            rival.stop()
        found = {
            "waiting": asyncio.run(_depth(amqp_url, queue)),
            "claimed": asyncio.run(ask(database_url, "SELECT count(*) FROM rival.ledger")),
            "log": asyncio.run(ask(database_url, "SELECT count(*) FROM rival.events")),
        }
        wanted = {"waiting": 0, "claimed": events, "log": events}
        if found != wanted:
            raise ServiceError(f"the FastStream pipeline ended with {found}, which should be {wanted}")

    return Pipeline(
        "faststream",
        rivals[0].url,
        database_url,
        # The numbers are given out to rows that are written, so the greatest is their count.
        "SELECT coalesce(max(id), 0) FROM rival.events",
        backlog=1000,
        check=check,
        finish=finish,
    )


async def ask(database_url: str, statement: str) -> int:
    """Return the one number a statement tells."""
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval(statement))
    finally:
        await connection.close()


async def _depth(amqp_url: str, queue: str) -> int:
    async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0
