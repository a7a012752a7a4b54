"""Make the exchanges and queues at the broker, with a user who may."""

import asyncio

import aio_pika

from cli.services import why
from runtime.amqp import BROKER_ERRORS, declare
from runtime.broker_trouble import broker_remedy
from runtime.settings import Settings
from schemas.errors import ServiceError

_SECONDS = 30.0
"""A cluster takes a moment to make a quorum queue."""


async def declare_topology(settings: Settings) -> None:
    """Declare all of it. Raises ServiceError when the broker is away, or does not let the user of AMQP_URL do it."""
    try:
        async with (
            asyncio.timeout(_SECONDS),
            await aio_pika.connect(settings.amqp_url.get_secret_value()) as connection,
        ):
            await declare(await connection.channel(), settings.topology)
    except BROKER_ERRORS as error:
        remedy = broker_remedy(error)
        told = f"AMQP_URL: the broker cannot be prepared ({why(error)})"
        raise ServiceError(f"{told}; {remedy}" if remedy else told) from error
