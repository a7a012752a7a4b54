"""Reach the services for a command: one connection, a clear error when it cannot be had."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aiormq.exceptions import ChannelNotFoundEntity

from runtime.amqp import BROKER_ERRORS
from runtime.migrations import missing_migrations
from runtime.postgres import POSTGRES_ERRORS, Connection, connect
from runtime.settings import Settings
from runtime.tls import describe_refusal
from schemas.errors import ServiceError

_CONNECT_SECONDS = 5

# What cannot be reached is told once, by the ServiceError.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """What waits in a queue. None: the queue is not there (yet)."""

    queue: str
    messages: int | None
    consumers: int | None


@asynccontextmanager
async def postgres(settings: Settings) -> AsyncIterator[Connection]:
    """Connect to a database that has this release's schema. Raises ServiceError with what to do."""
    try:
        connection = await connect(
            settings.database_url.get_secret_value(),
            "cli",
            timeout=_CONNECT_SECONDS,
            server_settings={"timezone": "UTC", "jit": "off"},
        )
    except POSTGRES_ERRORS as error:
        raise ServiceError(f"DATABASE_URL: Postgres cannot be reached ({why(error)}); is it running?") from error
    try:
        missing = await missing_migrations(connection)
        if missing:
            raise ServiceError(f"the database lacks {', '.join(missing)}; run: vibes-pipeline migrate")
        yield connection
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)


def why(error: BaseException) -> str:
    """Return in one line why a service cannot be used."""
    return describe_refusal(error) or f"{type(error).__name__}: {error}"


async def queue_depths(settings: Settings) -> list[QueueDepth]:
    """Ask the broker what waits in our queues. Raises ServiceError with what to do."""
    try:
        connection = await aio_pika.connect(settings.amqp_url.get_secret_value(), timeout=_CONNECT_SECONDS)
        async with connection:
            return [await _depth(connection, queue.name) for queue in settings.topology.queues]
    except BROKER_ERRORS as error:
        raise ServiceError(f"AMQP_URL: RabbitMQ cannot be reached ({why(error)}); is it running?") from error


async def _depth(connection: aio_pika.abc.AbstractConnection, name: str) -> QueueDepth:
    try:
        # A channel each: asking for a queue that is not there closes the channel.
        async with connection.channel() as channel:
            queue = await channel.declare_queue(name, passive=True)
            return QueueDepth(
                name, queue.declaration_result.message_count or 0, queue.declaration_result.consumer_count or 0
            )
    except ChannelNotFoundEntity:
        return QueueDepth(name, None, None)
