"""Publishes changes of the CRM and waits for the broker's confirms."""

import asyncio
from dataclasses import dataclass

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection, AbstractExchange

from ingest.answers import BLOCKED, CONNECTION_LOST, NACKED, STALLED, UNEXPECTED, Refusal
from ingest.broker_health import BrokerHealth
from ingest.crm.verdicts import Parcel
from ingest.exchange import why_not_confirmed
from ingest.session import until_first_ends, watch_blocked
from runtime import metrics, tracing
from runtime.amqp import BROKER_ERRORS, declare, keep_connected
from runtime.settings import Settings
from schemas.crm_message import CONTENT_TYPE, ROUTING_KEY

log = structlog.get_logger()

_USE = "crm"
_IN_FLIGHT = 8


@dataclass(eq=False, slots=True)
class _Waiting:
    """A message and what its request waits for: None once it is confirmed, or why it is not."""

    parcel: Parcel
    answer: asyncio.Future[Refusal | None]
    carrier: tracing.Carrier
    """Of the request that sent it."""

    def settle(self, answer: Refusal | None) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


class CrmPublisher:
    """Takes messages (`publish`) and returns once they are confirmed.

    On a connection of its own: the messages are large, and neither a connection that the broker slows down for them,
    nor one that has to be given up, may be the callbacks'.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._confirm_seconds = float(settings.amqp_heartbeat_seconds)
        self._health = BrokerHealth(self._confirm_seconds, _IN_FLIGHT, self._loop.time())
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._unblocked = asyncio.Event()
        self._finished = asyncio.Event()

    async def run(self) -> None:
        """Publish until `finish` is called. Never raises for the broker's sake."""
        await keep_connected(
            self._settings.amqp_url.get_secret_value(),
            _USE,
            self._session,
            self._finished,
            self._settings.amqp_heartbeat_seconds,
        )

    def finish(self) -> None:
        """Let `run` end."""
        self._finished.set()

    async def publish(self, parcel: Parcel) -> Refusal | None:
        """Publish a message; return None once the broker has confirmed it, or why it has not.

        A message that was not confirmed may get into the queue all the same.
        """
        if hopeless := self._health.hopeless(self._loop.time()):
            return hopeless
        waiting = _Waiting(parcel, self._loop.create_future(), tracing.current().carried())
        self._waiting.put_nowait(waiting)
        try:
            async with asyncio.timeout(self._confirm_seconds):
                return await waiting.answer
        except TimeoutError:
            return self._health.problem(self._loop.time()) or STALLED

    async def _session(self, connection: AbstractConnection) -> None:
        self._unblocked.set()
        exchange = await self._open(connection)
        self._health.connected()
        await until_first_ends(
            self._health,
            self._finished.wait(),
            watch_blocked(connection, _USE, self._health, self._unblocked),
            *(self._publish_waiting(exchange) for _ in range(_IN_FLIGHT)),
        )

    async def _open(self, connection: AbstractConnection) -> AbstractExchange:
        async with asyncio.timeout(self._confirm_seconds):
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            await declare(channel, self._settings.topology)
            return await channel.get_exchange(self._settings.topology.crm.name, ensure=False)

    async def _publish_waiting(self, exchange: AbstractExchange) -> None:
        """Publish message after message. Several of these run at a time."""
        while True:
            waiting = await self._waiting.get()
            try:
                await self._unblocked.wait()
                if not waiting.answer.done():
                    await self._publish(exchange, waiting)
            finally:
                waiting.settle(CONNECTION_LOST)

    async def _publish(self, exchange: AbstractExchange, waiting: _Waiting) -> None:
        """Publish one message and settle it. Raises BROKER_ERRORS when the connection is of no more use."""
        message = aio_pika.Message(
            waiting.parcel.body,
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=str(waiting.parcel.message_id),
        )
        try:
            with self._health.publishing(self._loop.time()), tracing.current().continuing(waiting.carrier):
                async with asyncio.timeout(self._confirm_seconds):
                    await exchange.publish(message, ROUTING_KEY, mandatory=True)
        except BROKER_ERRORS as error:
            refusal = why_not_confirmed(error, self._health)
            metrics.INGEST_PUBLISH_FAILURES.labels(refusal.reason).inc()
            waiting.settle(refusal)
            if refusal is NACKED:
                self._health.refused(ROUTING_KEY, self._loop.time())
            if refusal not in (NACKED, BLOCKED):
                raise
        except Exception:
            log.exception("ingest.publish_failed", message_id=str(waiting.parcel.message_id))
            waiting.settle(UNEXPECTED)
        else:
            self._health.taken(ROUTING_KEY)
            waiting.settle(None)
