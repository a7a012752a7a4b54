"""Consume the queues of what is due, several at a time; drain when stopped."""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn
from uuid import UUID

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from runtime import metrics, tracing
from runtime.amqp import declare
from runtime.postgres import POSTGRES_ERRORS, Pool
from runtime.settings import Settings
from schemas.errors import LaterVersionError, MessageError, ServiceError
from schemas.person_due import decode
from schemas.topology import Queue
from workers.person_sync import outbox
from workers.person_sync.locks import PersonLocks
from workers.person_sync.settle import Settler

log = structlog.get_logger()


async def consume(
    connection: AbstractConnection,
    settings: Settings,
    pool: Pool,
    settler: Settler,
    locks: PersonLocks,
    stop: asyncio.Event,
) -> None:
    """Consume both queues until `stop`, then finish what is under way.

    What an import asked for has a queue, and a number of persons at a time, of its own, so that it never stands before
    what just happened. Raises ServiceError when Postgres is to blame, BROKER_ERRORS when the broker is. However it
    ends, what was not acked goes back to the queue, and what was cut short is done again by whoever gets it next.
    """
    with _first_cause():
        async with asyncio.TaskGroup() as tasks:
            for queue in (settings.topology.person_sync, settings.topology.person_sync_bulk):
                tasks.create_task(_Consumer(settings, queue, pool, settler, locks).run(connection, stop))


class _Consumer:
    """Deals with the messages of one queue, as long as the locks hold."""

    def __init__(self, settings: Settings, queue: Queue, pool: Pool, settler: Settler, locks: PersonLocks) -> None:
        self._settings = settings
        self._queue = queue
        self._pool = pool
        self._settler = settler
        self._locks = locks
        self._free = asyncio.Semaphore(settings.person_sync_concurrency)
        self._inbox: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()

    async def run(self, connection: AbstractConnection, stop: asyncio.Event) -> None:
        """Consume until `stop`, then finish what is under way; raises as `consume` does."""
        channel = await connection.channel(publisher_confirms=False)
        try:
            with _first_cause():
                await self._consume(channel, stop)
        finally:
            if not channel.is_closed:
                await channel.close()

    async def _consume(self, channel: AbstractChannel, stop: asyncio.Event) -> None:
        await declare(channel, self._settings.topology)
        await channel.set_qos(prefetch_count=2 * self._settings.person_sync_concurrency)
        queue = await channel.get_queue(self._queue.name, ensure=False)
        async with asyncio.TaskGroup() as tasks:
            watchers = [tasks.create_task(self._locks.watch()), tasks.create_task(_watch(channel))]
            feeding = tasks.create_task(self._feed(tasks))
            consumer_tag = await queue.consume(self._inbox.put)
            log.info("person_sync.consuming", queue=queue.name)
            await stop.wait()
            feeding.cancel()
            await queue.cancel(consumer_tag)
            for _ in range(self._settings.person_sync_concurrency):
                await self._free.acquire()
            for watcher in watchers:
                watcher.cancel()

    async def _feed(self, tasks: asyncio.TaskGroup) -> NoReturn:
        while True:
            message = await self._inbox.get()
            await self._free.acquire()
            tasks.create_task(self._deal_with(message)).add_done_callback(lambda _task: self._free.release())

    async def _deal_with(self, message: AbstractIncomingMessage) -> None:
        try:
            due = decode(message.body)
        except LaterVersionError as problem:
            # It carries nothing that is not in the outbox: the sweep puts it on the queue again, as this release does.
            log.warning("person_sync.left_to_the_sweep", reason=problem.reason, detail=problem.detail)
        except MessageError as problem:
            await self._set_aside(message, problem)
        else:
            with tracing.current().caused_by("sync person", [message.headers], company_key=due.company_key):
                await self._settler.settle(due)
        await message.ack()

    async def _set_aside(self, message: AbstractIncomingMessage, problem: MessageError) -> None:
        log.error("person_sync.unreadable_message", reason=problem.reason, detail=problem.detail)
        # Of the body, so that a second delivery makes no second dead letter.
        message_id = UUID(bytes=hashlib.sha256(message.body).digest()[:16])
        try:
            await outbox.set_aside(self._pool, message.body, message_id, problem)
            metrics.DEAD_LETTERS.labels("", outbox.STAGE, problem.reason).inc()
        except POSTGRES_ERRORS as error:
            raise ServiceError(f"Postgres cannot take a dead letter now: {type(error).__name__}") from error


async def _watch(channel: AbstractChannel) -> NoReturn:
    """Wait until the channel closes or the broker ends its consumer (the queue was deleted): raise ConnectionError."""
    ended = asyncio.Event()
    underlay = await channel.get_underlay_channel()
    underlay.on_consumer_cancel_callbacks.add(lambda _frame: ended.set())
    channel.close_callbacks.add(lambda *_args: ended.set())
    await ended.wait()
    raise ConnectionError("the broker ended the consumer")


@contextmanager
def _first_cause() -> Iterator[None]:
    """Raise the error that ended a task group by itself: the others are its consequences."""
    try:
        yield
    except BaseExceptionGroup as group:
        cause = group.exceptions[0]
        raise cause from cause.__cause__
