"""Queues that are full before anybody works on them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import cycle, islice

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange

from benchmarks.rivals.message import message
from benchmarks.rivals.options import QUORUM
from deploy.local.errors import ServiceError
from ingest.ids import uuid7
from runtime.amqp import BROKER_ERRORS, declare
from schemas.broker_message import CONTENT_TYPE, CallbackMessage, ReceivedCallback, encode
from schemas.topology import Topology

_WINDOW = 1000
"""Publishes without a confirm at a time."""
_CONFIRM_SECONDS = 30.0
"""For a whole window; a broker that takes longer is blocked."""
_HEADERS = {"content-type": "application/json", "user-agent": "benchmark"}

Publishing = tuple[aio_pika.Message, str]
"""A message and its routing key."""


async def fill(
    amqp_url: str, topology: Topology, company_key: str, bodies: Sequence[bytes], *, group: int = 100
) -> int:
    """Publish callbacks as one ingest process does, `group` of them a broker message; return how many.

    The queues of `topology` are declared, and filled in turn. As after a run of ingest the last message holds no
    callbacks and reports their number, so the audit can account for them. Raises ServiceError when the broker does not
    confirm.
    """
    async with _channel(amqp_url) as channel:
        await declare(channel, topology)
        exchange = await channel.get_exchange(topology.callbacks.name, ensure=False)
        messages = grouped(company_key, bodies, group)
        routing_keys = cycle([str(number) for number in range(topology.apply_queues)])
        await _publish(exchange, zip(map(_to_amqp, messages), routing_keys, strict=False))
    return len(bodies)


def grouped(company_key: str, bodies: Sequence[bytes], group: int) -> Iterator[CallbackMessage]:
    """Yield the messages of one ingest process: `group` callbacks each, and an empty one that reports their number."""
    ingest_id = str(uuid7())
    for start in (*range(0, len(bodies), group), len(bodies)):
        now = datetime.now(UTC)
        yield CallbackMessage(
            message_id=uuid7(),
            company_key=company_key,
            ingest_id=ingest_id,
            acknowledged=start,
            callbacks=tuple(
                ReceivedCallback(body, now, "127.0.0.1", "POST", "main", _HEADERS)
                for body in bodies[start : start + group]
            ),
        )


async def fill_rival(amqp_url: str, queue: str, company_key: str, bodies: Sequence[bytes]) -> int:
    """Declare a rival's queue and publish every callback as a message of its own; return how many.

    Raises ServiceError when the broker does not confirm.
    """
    async with _channel(amqp_url) as channel:
        await channel.declare_queue(queue, durable=True, arguments=QUORUM)
        await _publish(channel.default_exchange, ((message(body, company_key), queue) for body in bodies))
    return len(bodies)


async def waiting(amqp_url: str, queue: str) -> int:
    """Return how many messages are ready in a queue: those delivered and not acked are not counted."""
    async with _channel(amqp_url) as channel:
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


async def remove(amqp_url: str, topology: Topology) -> None:
    """Delete the queues and exchanges of a topology, with what is left in them."""
    async with _channel(amqp_url) as channel:
        for queue in topology.queues:
            await channel.queue_delete(queue.name)
        for exchange in topology.exchanges:
            await channel.exchange_delete(exchange.name)


def _to_amqp(callbacks: CallbackMessage) -> aio_pika.Message:
    return aio_pika.Message(
        encode(callbacks),
        content_type=CONTENT_TYPE,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=str(callbacks.message_id),
    )


async def _publish(exchange: AbstractExchange, messages: Iterable[Publishing]) -> None:
    pending = iter(messages)
    while window := list(islice(pending, _WINDOW)):
        try:
            async with asyncio.timeout(_CONFIRM_SECONDS):
                await asyncio.gather(*(exchange.publish(item, key, mandatory=True) for item, key in window))
        except BROKER_ERRORS as error:
            raise ServiceError(f"the broker did not take the backlog ({type(error).__name__}): see its log") from error


@asynccontextmanager
async def _channel(amqp_url: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(amqp_url) as connection:
        yield await connection.channel(publisher_confirms=True, on_return_raises=True)
