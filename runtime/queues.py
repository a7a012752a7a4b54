"""How much waits in our queues, as the broker tells without a message being taken."""

from collections.abc import Iterable
from dataclasses import dataclass

from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelNotFoundEntity

from schemas.topology import Queue


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """What waits in a queue. None: the queue is not there (yet)."""

    queue: str
    messages: int | None
    """Those that no consumer holds."""
    consumers: int | None


async def ask_depths(connection: AbstractConnection, queues: Iterable[Queue]) -> list[QueueDepth]:
    """Ask for each queue. Raises BROKER_ERRORS."""
    return [await _depth(connection, queue.name) for queue in queues]


async def _depth(connection: AbstractConnection, name: str) -> QueueDepth:
    try:
        # A channel each: asking for a queue that is not there closes the channel.
        async with connection.channel() as channel:
            queue = await channel.declare_queue(name, passive=True)
            told = queue.declaration_result
            return QueueDepth(name, told.message_count or 0, told.consumer_count or 0)
    except ChannelNotFoundEntity:
        return QueueDepth(name, None, None)
