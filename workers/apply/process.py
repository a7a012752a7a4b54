"""The apply process: its connections, its consumers, its admin listener."""

import asyncio
from collections.abc import Coroutine

import structlog
from aio_pika.abc import AbstractConnection
from aiohttp import web

from runtime.admin import create_admin_app, start_site
from runtime.amqp import Session, keep_connected
from runtime.companies import Companies
from runtime.lifecycle import run_and_drain
from runtime.postgres import POSTGRES_ERRORS, Pool, create_pool
from runtime.settings import Settings
from schemas.errors import ServiceError
from workers.apply.consumer import BATCHES_AT_ONCE, ApplyConsumer, DeadLetterConsumer
from workers.apply.crm_consumer import CrmConsumer
from workers.apply.due import DuePublisher

log = structlog.get_logger()

_READY_SECONDS = 1.0
_LAST_PUBLISH_SECONDS = 5.0


async def serve(settings: Settings, companies: Companies, stop: asyncio.Event) -> None:
    """Apply callbacks and changes of the CRM until stopped; then finish what was delivered, within `drain_seconds`.

    Starts without Postgres or RabbitMQ, and waits for them. Raises ConfigurationError when the admin port is taken.
    """
    topology = settings.topology
    # A connection for each batch, for each of the other consumers, and one for /readyz.
    pool = create_pool(
        settings.database_url.get_secret_value(),
        "apply",
        min_size=0,
        max_size=BATCHES_AT_ONCE * len(topology.apply) + 3,
        by_key=True,
    )
    runner = web.AppRunner(create_admin_app(lambda: _readiness(pool, stop)), access_log=None)
    try:
        port = await start_site(
            runner, settings.admin_host, settings.apply_admin_port, "VIBES_PIPELINE_APPLY_ADMIN_PORT"
        )
        log.info("apply.started", admin_port=port)
        await pool
        await _work(settings, companies, pool, stop)
    finally:
        await runner.cleanup()
        pool.terminate()


async def _work(settings: Settings, companies: Companies, pool: Pool, stop: asyncio.Event) -> None:
    due = DuePublisher(settings)
    consumed = asyncio.Event()
    publishing = asyncio.ensure_future(due.run(consumed))
    topology = settings.topology
    consumers: list[tuple[str, Session]] = [
        (queue.name, ApplyConsumer(settings, companies, pool, queue, due, stop).run) for queue in topology.apply
    ]
    consumers.append((topology.crm_changes.name, CrmConsumer(settings, companies, pool, stop).run))
    consumers.append((topology.dead_letters.name, DeadLetterConsumer(settings, companies, pool, stop).run))
    try:
        await run_and_drain(
            _all(*(_consume(settings, name, run, stop) for name, run in consumers)), stop, settings.drain_seconds
        )
    finally:
        consumed.set()
        await asyncio.wait((publishing,), timeout=_LAST_PUBLISH_SECONDS)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


async def _consume(settings: Settings, queue: str, run: Session, stop: asyncio.Event) -> None:
    async def session(connection: AbstractConnection) -> None:
        try:
            await run(connection)
        except ServiceError as error:
            # The connection ends with the session, so what was delivered goes back to the queue.
            log.warning("apply.gave_back", queue=queue, detail=str(error))

    url = settings.amqp_url.get_secret_value()
    await keep_connected(url, f"consume {queue}", session, stop, settings.amqp_heartbeat_seconds)


async def _all(*work: Coroutine[None, None, None]) -> None:
    async with asyncio.TaskGroup() as group:
        for item in work:
            group.create_task(item)


async def _readiness(pool: Pool, stop: asyncio.Event) -> str | None:
    if stop.is_set():
        return "draining"
    try:
        async with asyncio.timeout(_READY_SECONDS):
            await pool.fetchval("SELECT 1")
    except POSTGRES_ERRORS as error:
        return f"Postgres does not answer ({type(error).__name__})"
    return None
