"""Publish "this person is due", confirmed: after the transaction that put them into the outbox, and by the sweep."""

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from itertools import islice, repeat

import aio_pika
from aio_pika.abc import AbstractExchange

from runtime import tracing
from schemas.person_due import CONTENT_TYPE, ROUTING_KEY, PersonDue, encode

WINDOW = 200
"""Publishes under way at a time: about where one channel is fastest."""
_PUBLISH_SECONDS = 10.0


_NO_CAUSE: tracing.Carrier = {}


async def publish_due(
    exchange: AbstractExchange,
    due: Sequence[PersonDue],
    routing_key: str = ROUTING_KEY,
    *,
    carriers: Iterable[tracing.Carrier] | None = None,
) -> None:
    """Publish to `Topology.syncs`. `carriers` tell what made each of them due.

    Raises BROKER_ERRORS; then some may have been published.
    """
    waiting = zip(due, repeat(_NO_CAUSE) if carriers is None else carriers, strict=False)
    while window := list(islice(waiting, WINDOW)):
        async with asyncio.timeout(_PUBLISH_SECONDS):
            await asyncio.gather(*(_publish_one(exchange, person, routing_key, cause) for person, cause in window))


async def _publish_one(exchange: AbstractExchange, person: PersonDue, routing_key: str, cause: tracing.Carrier) -> None:
    message = aio_pika.Message(
        encode(person),
        content_type=CONTENT_TYPE,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        # A returned publish is matched by its id: two under way with one id would be mixed up.
        message_id=uuid.uuid4().hex,
    )
    with tracing.current().continuing(cause):
        await exchange.publish(message, routing_key, mandatory=True)
