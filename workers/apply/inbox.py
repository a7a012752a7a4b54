"""Deliveries from the broker, handed out in order, one by one or cut into batches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from runtime.amqp import declare
from schemas.topology import Queue, Topology
from workers.apply.batches import Batch, Content, Limits, Message, is_suspect

log = structlog.get_logger()


@asynccontextmanager
async def open_inbox(
    connection: AbstractConnection, topology: Topology, queue: Queue, prefetch: int, stop: asyncio.Event
) -> AsyncIterator["Inbox"]:
    """Consume a queue into an inbox; when `stop` is set no more is fetched, and the inbox ends with what it has.

    What is not acked in the end goes back to the queue with the connection.
    """
    channel = await connection.channel(publisher_confirms=False)
    await declare(channel, topology)
    await channel.set_qos(prefetch_count=prefetch)
    source = await channel.get_queue(queue.name, ensure=False)
    inbox = Inbox()
    consumer_tag = await source.consume(inbox.put)
    log.info("apply.consuming", queue=queue.name)

    async def close_when_stopped() -> None:
        await stop.wait()
        await source.cancel(consumer_tag)
        inbox.close()

    closing = asyncio.ensure_future(close_when_stopped())
    try:
        yield inbox
    finally:
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)


class Inbox:
    """Deliveries of one consumer, in order. The consumer's prefetch bounds how many there can be."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        self._held: AbstractIncomingMessage | None = None
        self._closed = False

    async def put(self, incoming: AbstractIncomingMessage) -> None:
        """Take a delivery."""
        self._waiting.put_nowait(incoming)

    def close(self) -> None:
        """No more deliveries will come; those that are here are still handed out."""
        self._waiting.put_nowait(None)

    async def next(self) -> AbstractIncomingMessage | None:
        """Wait for a delivery. None: closed, and none is left."""
        return await self._take(None)

    async def next_batch(self, limits: Limits, content: Content[Message]) -> Batch[Message] | None:
        """Wait for a message, then for more until the batch is full or old enough. None: closed, and none is left."""
        first = await self._take(None)
        if first is None:
            return None
        batch = Batch(content)
        batch.add(first)
        closes_at = asyncio.get_running_loop().time() + limits.wait_seconds
        while not (batch.is_full(limits) or batch.is_suspect):
            incoming = await self._take(closes_at)
            if incoming is None:
                break
            if is_suspect(incoming):
                self._held = incoming
                break
            batch.add(incoming)
        return batch

    async def _take(self, until: float | None) -> AbstractIncomingMessage | None:
        """Return the next delivery; None when the inbox is closed, or when none came until that time."""
        if self._held is not None:
            held, self._held = self._held, None
            return held
        if self._closed:
            return None
        try:
            async with asyncio.timeout_at(until if self._waiting.empty() else None):
                incoming = await self._waiting.get()
        except TimeoutError:
            return None
        self._closed = incoming is None
        return incoming
