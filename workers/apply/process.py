"""The apply process: its connections, its consumers, its admin listener."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime

import structlog
from aio_pika.abc import AbstractConnection
from aiohttp import web

from runtime import metrics
from runtime.admin import create_admin_app, start_site
from runtime.amqp import Session, keep_connected
from runtime.certificates import show_expiry_of_clients
from runtime.companies import Companies
from runtime.lifecycle import run_and_drain
from runtime.postgres import POSTGRES_ERRORS, Pool, create_pool
from runtime.schema import NotMigratedError, require_schema
from runtime.settings import Settings
from schemas.errors import ServiceError
from workers.accounts import keep_accounts
from workers.apply.consumer import BATCHES_AT_ONCE, ApplyConsumer, DeadLetterConsumer
from workers.apply.crm_consumer import CrmConsumer
from workers.apply.due import DuePublisher
from workers.apply.storm import KINDS, StormGuard, limits_of
from workers.measuring import measure_dead_letters, measure_queues, show_pool

log = structlog.get_logger()

_READY_SECONDS = 1.0
_LAST_PUBLISH_SECONDS = 5.0


async def serve(settings: Settings, companies: Companies, stop: asyncio.Event) -> None:
    """Apply callbacks and changes of the CRM until stopped; then finish what was delivered, within `drain_seconds`.

    Starts without Postgres or RabbitMQ, and waits for them. Raises ConfigurationError when the admin port is taken.
    """
    topology = settings.topology
    # A connection for each batch, for each of the other consumers, the accounts, what is measured, and /readyz.
    pool = create_pool(
        settings.database_url.get_secret_value(),
        "apply",
        min_size=0,
        max_size=BATCHES_AT_ONCE * len(topology.apply) + 5,
        by_key=True,
    )
    await pool
    show_pool(pool)
    show_expiry_of_clients(settings)
    guards = [StormGuard(what, limits_of(settings)) for what in KINDS]
    runner = web.AppRunner(create_admin_app("apply", lambda: _readiness(pool, guards, stop)), access_log=None)
    try:
        port = await start_site(
            runner, settings.admin_host, settings.apply_admin_port, "VIBES_PIPELINE_APPLY_ADMIN_PORT"
        )
        log.info("apply.started", admin_port=port)
        await _work(settings, companies, pool, guards, stop)
    finally:
        await runner.cleanup()
        pool.terminate()


async def _work(
    settings: Settings, companies: Companies, pool: Pool, guards: Sequence[StormGuard], stop: asyncio.Event
) -> None:
    callbacks, crm_changes = guards
    due = DuePublisher(settings)
    consumed = asyncio.Event()
    publishing = asyncio.ensure_future(due.run(consumed))
    topology = settings.topology
    applying = {
        queue.name: ApplyConsumer(settings, companies, pool, queue, due, callbacks, stop) for queue in topology.apply
    }
    metrics.APPLY_OLDEST_UNAPPLIED.set_function(lambda: _oldest_unapplied_seconds(applying.values()))
    consumers: list[tuple[str, Session]] = [(name, consumer.run) for name, consumer in applying.items()]
    consumers.append((topology.crm_changes.name, CrmConsumer(settings, companies, pool, crm_changes, stop).run))
    consumers.append((topology.dead_letters.name, DeadLetterConsumer(settings, companies, pool, stop).run))
    try:
        await run_and_drain(
            _all(
                keep_accounts(pool, companies, stop),
                measure_dead_letters(pool, stop),
                measure_queues(settings, stop),
                *(guard.run(stop) for guard in guards),
                *(_consume(settings, name, run, stop) for name, run in consumers),
            ),
            stop,
            settings.drain_seconds,
        )
    finally:
        consumed.set()
        await asyncio.wait((publishing,), timeout=_LAST_PUBLISH_SECONDS)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


def _oldest_unapplied_seconds(consumers: Iterable[ApplyConsumer]) -> float:
    received = [oldest for consumer in consumers if (oldest := consumer.unapplied.oldest) is not None]
    return (datetime.now(UTC) - min(received)).total_seconds() if received else 0.0


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


async def _readiness(pool: Pool, guards: Sequence[StormGuard], stop: asyncio.Event) -> str | None:
    if stop.is_set():
        return "draining"
    for guard in guards:
        if guard.problem is not None:
            return guard.problem
    try:
        async with asyncio.timeout(_READY_SECONDS):
            await require_schema(pool)
    except NotMigratedError as error:
        return str(error)
    except POSTGRES_ERRORS as error:
        return f"Postgres does not answer ({type(error).__name__})"
    return None
