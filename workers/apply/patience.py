"""Wait out Postgres: its trouble never costs an event anything but time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from runtime import metrics
from runtime.lifecycle import wait_or_stop
from runtime.postgres import POSTGRES_ERRORS, Pool, statement
from runtime.postgres_trouble import postgres_trouble
from runtime.schema import NotMigratedError, require_schema
from schemas.errors import ServiceError

log = structlog.get_logger()

Result = TypeVar("Result")

_BACKOFF_SECONDS = (0.1, 5.0)
HOLD_SECONDS = 1200.0
"""How long deliveries are held while Postgres cannot take them. RabbitMQ ends a consumer that does not ack for 30
minutes, and a message given back counts as delivered once more: given back once, and fetched again when Postgres is
there, an outage of any length costs one delivery."""


async def until_done(
    work: Callable[[], Awaitable[Result]], stop: asyncio.Event, give_up_seconds: float = HOLD_SECONDS
) -> Result:
    """Run `work` again and again, with growing pauses, until Postgres takes it; return its result.

    Raises ServiceError when `stop` is set meanwhile, or after `give_up_seconds`.
    """
    started = time.monotonic()
    delay = _BACKOFF_SECONDS[0]
    while True:
        try:
            return await work()
        except (*POSTGRES_ERRORS, NotMigratedError) as error:
            kind = type(error).__name__
            metrics.APPLY_RETRIES.labels(kind).inc()
            log.warning("apply.postgres_unavailable", retry_seconds=round(delay, 2), **postgres_trouble(error))
            if await wait_or_stop(stop, delay) or time.monotonic() - started > give_up_seconds:
                raise ServiceError(f"Postgres does not take the work: {kind}") from error
            delay = min(delay * 2, _BACKOFF_SECONDS[1])


async def wait_for_postgres(pool: Pool, stop: asyncio.Event) -> None:
    """Wait, for as long as it takes, until Postgres takes writes. Raises ServiceError when `stop` is set meanwhile.

    An answer alone would not do: a standby, or a database that is not migrated yet, gives one too.
    """

    async def probe() -> None:
        async with pool.acquire() as connection:
            await require_schema(connection)
            trial = connection.transaction()
            await trial.start()
            try:
                await connection.execute(statement("probe_writes"))
            finally:
                await trial.rollback()

    await until_done(probe, stop, give_up_seconds=float("inf"))
