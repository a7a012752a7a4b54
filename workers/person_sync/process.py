"""The person worker as a process: what it is made of, and what it does when something it needs is away."""

import asyncio
import random
from collections.abc import Mapping
from contextlib import AsyncExitStack

import structlog
from aio_pika.abc import AbstractConnection
from aiohttp import web

from runtime.admin import create_admin_app, start_site
from runtime.amqp import Session, keep_connected
from runtime.certificates import show_expiry, show_expiry_of_clients
from runtime.companies import Companies
from runtime.lifecycle import run_and_drain, wait_or_stop
from runtime.postgres import POSTGRES_ERRORS, Pool, create_pool
from runtime.postgres_trouble import in_a_line, postgres_trouble
from runtime.schema import NotMigratedError, require_schema
from runtime.settings import PREFIX, Settings
from schemas.errors import ServiceError
from workers.measuring import measure_queues, measure_syncs, show_pool
from workers.person_sync.accounts import Account, open_accounts
from workers.person_sync.calls import CallRecorder
from workers.person_sync.consumer import consume
from workers.person_sync.locks import open_locks
from workers.person_sync.settle import Settler
from workers.person_sync.sweeper import Sweeper

log = structlog.get_logger()

_BACKOFF_SECONDS = (0.2, 15.0)
_STEADY_SECONDS = 30.0
"""A session this long was no failure to start: the next wait begins small again."""
_MAX_POOL = 10
_READY_SECONDS = 2.0
_CLOSE_SECONDS = 2.0


async def serve(settings: Settings, companies: Companies, stop: asyncio.Event) -> None:
    """Deal with persons that are due until `stop`, then finish the calls under way, within `drain_seconds`.

    Waits for RabbitMQ and PostgreSQL when they are away, at start too. Raises ConfigurationError.
    """
    async with AsyncExitStack() as stack:
        pool = create_pool(settings.database_url.get_secret_value(), "person-sync", min_size=0, max_size=_MAX_POOL)
        await pool
        show_pool(pool)
        show_expiry_of_clients(settings)
        for company in companies.companies:
            if company.api_certificate_file is not None:
                show_expiry(f"vibes_api/{company.company_key}", company.api_certificate_file)
        stack.push_async_callback(_close, pool)
        recorder = CallRecorder(pool)
        accounts = await stack.enter_async_context(open_accounts(companies, settings, pool, recorder))
        await stack.enter_async_context(recorder)
        worker = _Worker(settings, companies, pool, accounts, stop)
        runner = web.AppRunner(create_admin_app("person-sync", worker.ready), access_log=None)
        stack.push_async_callback(runner.cleanup)
        port = await start_site(
            runner, settings.admin_host, settings.person_sync_admin_port, f"{PREFIX}PERSON_SYNC_ADMIN_PORT"
        )
        log.info("person_sync.started", admin_port=port, companies=len(companies.companies), with_api=len(accounts))
        await run_and_drain(worker.run(), stop, settings.drain_seconds)


class _Worker:
    def __init__(
        self,
        settings: Settings,
        companies: Companies,
        pool: Pool,
        accounts: Mapping[str, Account],
        stop: asyncio.Event,
    ) -> None:
        self._settings = settings
        self._companies = companies
        self._pool = pool
        self._accounts = accounts
        self._stop = stop
        self._consuming = False

    async def run(self) -> None:
        """Consume and sweep, each on a connection of its own: a broker short of memory blocks those that publish."""
        sweeper = Sweeper(self._settings, self._pool)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_connected("consume", self._consume))
            tasks.create_task(self._keep_connected("publish", lambda broker: sweeper.run(broker, self._stop)))
            tasks.create_task(measure_queues(self._settings, self._stop))
            tasks.create_task(measure_syncs(self._pool, self._companies, self._stop))

    async def ready(self) -> str | None:
        """Return what keeps the process from its work, None when nothing does."""
        if self._stop.is_set():
            return "draining"
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await require_schema(self._pool)
        except NotMigratedError as error:
            return str(error)
        except POSTGRES_ERRORS as error:
            return f"PostgreSQL does not answer ({type(error).__name__})"
        return None if self._consuming else "not consuming"

    async def _check_schema(self) -> None:
        """Raise ServiceError when the database is away, or not migrated."""
        try:
            await require_schema(self._pool)
        except POSTGRES_ERRORS as error:
            raise ServiceError(in_a_line(postgres_trouble(error))) from error

    async def _keep_connected(self, use: str, session: Session) -> None:
        await keep_connected(
            self._settings.amqp_url.get_secret_value(), use, session, self._stop, self._settings.amqp_heartbeat_seconds
        )

    async def _consume(self, connection: AbstractConnection) -> None:
        """Consume while Postgres can take the outcomes; when it cannot, give the messages back and wait."""
        delay = _BACKOFF_SECONDS[0]
        loop = asyncio.get_running_loop()
        while not (self._stop.is_set() or connection.is_closed):
            started = loop.time()
            try:
                await self._check_schema()
                async with open_locks(self._settings.database_url.get_secret_value()) as locks:
                    settler = Settler(self._pool, self._accounts, locks)
                    self._consuming = True
                    await consume(connection, self._settings, self._pool, settler, locks, self._stop)
            except ServiceError as error:
                if loop.time() - started > _STEADY_SECONDS:
                    delay = _BACKOFF_SECONDS[0]
                log.warning("postgres.unavailable", reason=str(error), retry_seconds=round(delay, 2))
                await wait_or_stop(self._stop, delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
                delay = min(delay * 2, _BACKOFF_SECONDS[1])
            finally:
                self._consuming = False


async def _close(pool: Pool) -> None:
    """Close politely, but not for long: a server that went silent never answers."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await pool.close()
    except POSTGRES_ERRORS:
        pool.terminate()
