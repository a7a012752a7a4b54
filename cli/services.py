"""Reach the services for a command: one connection, a clear error when it cannot be had."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aio_pika
from aio_pika.abc import AbstractConnection

from runtime.amqp import BROKER_ERRORS
from runtime.broker_trouble import broker_remedy
from runtime.postgres import POSTGRES_ERRORS, Connection, connect
from runtime.postgres_trouble import postgres_trouble
from runtime.queues import QueueDepth, ask_depths
from runtime.schema import check_schema
from runtime.settings import Settings
from runtime.tls import describe_refusal
from schemas.errors import ServiceError

_CONNECT_SECONDS = 5

# What cannot be reached is told once, by the ServiceError.
for _noisy in ("aiormq", "aio_pika"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)


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
        raise _out_of_reach(error) from error
    try:
        try:
            await check_schema(connection)
        except POSTGRES_ERRORS as error:
            raise _out_of_reach(error) from error
        yield connection
    finally:
        with suppress(*POSTGRES_ERRORS):  # a server that is gone meanwhile has been told of, or was not needed any more
            await connection.close(timeout=_CONNECT_SECONDS)


def _out_of_reach(error: BaseException) -> ServiceError:
    remedy = postgres_trouble(error).get("remedy", "is it running?")
    return ServiceError(f"DATABASE_URL: Postgres cannot be reached ({why(error)}); {remedy}")


def why(error: BaseException) -> str:
    """Return in one line why a service cannot be used."""
    return describe_refusal(error) or f"{type(error).__name__}: {error}"


@asynccontextmanager
async def rabbitmq(settings: Settings) -> AsyncIterator[AbstractConnection]:
    """Connect to the broker. Raises ServiceError with what to do."""
    try:
        connection = await aio_pika.connect(settings.amqp_url.get_secret_value(), timeout=_CONNECT_SECONDS)
    except BROKER_ERRORS as error:
        remedy = broker_remedy(error) or "is it running?"
        raise ServiceError(f"AMQP_URL: RabbitMQ cannot be reached ({why(error)}); {remedy}") from error
    async with connection:
        yield connection


async def queue_depths(settings: Settings) -> list[QueueDepth]:
    """Ask the broker what waits in our queues. Raises ServiceError with what to do."""
    async with rabbitmq(settings) as connection:
        try:
            return await ask_depths(connection, settings.topology.queues)
        except BROKER_ERRORS as error:
            raise ServiceError(f"AMQP_URL: RabbitMQ does not answer ({why(error)}); is it running?") from error
