"""What has come into the broker's queues, and whether the broker held up its publishers meanwhile."""

import asyncio
from collections.abc import Coroutine, Iterable
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection

from deploy.local.errors import ServiceError
from schemas.broker_message import decode
from schemas.errors import MessageError

Result = TypeVar("Result")

_LOOK_SECONDS = 0.05
_STILL_LOOKS = 4
"""A queue that has not grown for so many looks has got what was under way."""
_STILL_WITHIN_SECONDS = 15.0
_TAKE_WITHIN_SECONDS = 60.0
_NOWHERE = "benchmarks.no-such-queue"


class Queues:
    """A connection to the broker, served by a thread so that it lives while something else is measured."""

    def __init__(self, amqp_url: str) -> None:
        self.was_blocked = False
        """Whether the broker has stopped to read what is published, for want of memory or disk."""
        self._amqp_url = amqp_url
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="queues", daemon=True)
        self._connection: AbstractConnection
        self._watching: asyncio.Task[None]

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def empty(self, names: Iterable[str]) -> int:
        """Drop everything in these queues and return how many messages that were."""
        return self._run(self._empty(names))

    def delete(self, names: Iterable[str]) -> None:
        """Delete these queues."""
        self._run(self._delete(names))

    def wait_until_still(self, names: Iterable[str]) -> int:
        """Return how many messages the queues hold once they do not grow. Raises ServiceError when they do for long."""
        return self._run(self._wait_until_still(list(names)))

    def take_callbacks(self, names: Iterable[str]) -> int:
        """Consume everything in these queues and return how many callbacks the pipeline's messages held.

        Raises ServiceError when a message cannot be read.
        """
        return self._run(self._take_callbacks(names))

    def check_not_blocked(self) -> None:
        """Raise ServiceError when the broker has blocked its publishers since the start."""
        if self._watching.done():
            raise ServiceError(f"the connection that watches RabbitMQ ended: {self._watching.exception()!r}")
        if self.was_blocked:
            raise ServiceError(
                "RabbitMQ blocked its publishers during the measurement, for want of memory or disk: free some "
                "(its log says which) and measure again"
            )

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> None:
        self._connection = await aio_pika.connect(self._amqp_url)
        self._watching = asyncio.ensure_future(self._watch())

    async def _close(self) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await self._connection.close()

    async def _watch(self) -> None:
        """Note when the broker blocks.

        It tells that to connections that publish, upon a publish, so this publishes, to nowhere. RabbitMQ looks at its
        memory and disk once in seconds: no block is shorter than the time between two looks of ours.
        """
        assert self._connection.transport is not None  # noqa: S101 - it was connected just now
        ready = self._connection.transport.connection.ready
        channel = await self._connection.channel(publisher_confirms=False)
        message = aio_pika.Message(b"")
        while True:
            await channel.default_exchange.publish(message, _NOWHERE, mandatory=False)
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                async with asyncio.timeout(0):  # returns at once, or not before it is unblocked
                    await ready()
            except TimeoutError:
                self.was_blocked = True
                await ready()

    async def _empty(self, names: Iterable[str]) -> int:
        async with self._connection.channel() as channel:
            queues = [await channel.get_queue(name, ensure=False) for name in names]
            return sum([(await queue.purge()).message_count or 0 for queue in queues])

    async def _delete(self, names: Iterable[str]) -> None:
        async with self._connection.channel() as channel:
            for name in names:
                await channel.queue_delete(name)

    async def _wait_until_still(self, names: list[str]) -> int:
        sizes: list[int] = []
        try:
            async with asyncio.timeout(_STILL_WITHIN_SECONDS), self._connection.channel() as channel:
                while len(sizes) < _STILL_LOOKS or len(set(sizes[-_STILL_LOOKS:])) > 1:
                    sizes.append(sum([await _size(channel, name) for name in names]))
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError as error:
            raise ServiceError(f"queues still grow {_STILL_WITHIN_SECONDS:g} s after the last request") from error
        return sizes[-1]

    async def _take_callbacks(self, names: Iterable[str]) -> int:
        try:
            async with asyncio.timeout(_TAKE_WITHIN_SECONDS):
                return sum([await self._take_from(name) for name in names])
        except TimeoutError as error:
            raise ServiceError(f"RabbitMQ did not deliver what is queued within {_TAKE_WITHIN_SECONDS:g} s") from error
        except MessageError as error:
            raise ServiceError(f"ingest queued a message that nobody can read: {error}") from error

    async def _take_from(self, name: str) -> int:
        async with self._connection.channel() as channel:
            left = await _size(channel, name)
            if not left:
                return 0
            callbacks = 0
            queue = await channel.get_queue(name, ensure=False)
            async with queue.iterator(no_ack=True) as messages:
                async for message in messages:
                    callbacks += len(decode(message.body).callbacks)
                    left -= 1
                    if not left:
                        break
            return callbacks


async def _size(channel: AbstractChannel, name: str) -> int:
    queue = await channel.declare_queue(name, passive=True)
    return queue.declaration_result.message_count or 0
