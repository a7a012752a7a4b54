"""Publishes chunks of changes, several at a time, and knows which the broker has confirmed."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq.exceptions import ChannelInvalidStateError
from yarl import URL

from runtime.amqp import BROKER_ERRORS, declare
from runtime.lifecycle import wait_or_stop
from runtime.settings import Settings
from schemas.crm_message import CONTENT_TYPE, ROUTING_KEY, CrmMessage, encode
from schemas.errors import ConfigurationError, ServiceError

WINDOW = 8
"""Messages under way at a time."""
_ANSWER_SECONDS = 10.0
_CLOSE_SECONDS = 1.0
_BACKOFF_SECONDS = (0.2, 5.0)


class StoppedError(Exception):
    """The command was asked to stop while the broker did not take messages."""


@dataclass(slots=True)
class _Pending:
    """A message on its way. Without a body there is nothing to send of its rows."""

    last_row: int
    body: bytes = field(repr=False)
    message_id: str
    publish: asyncio.Task[None] | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether the broker has it, or there is nothing to send."""
        return not self.body or (self.publish is not None and self.publish.done() and not self.has_failed)

    @property
    def has_failed(self) -> bool:
        """Whether it is to be published again."""
        if self.publish is None or not self.publish.done():
            return False
        return self.publish.cancelled() or self.publish.exception() is not None


class Publisher:
    """Publishes messages to `Topology.crm`, in their order but not one by one.

    When the broker is away, blocked or refuses (a full queue), it is tried again for `patience` seconds after the last
    message it took. `confirmed(row)` is told after which row the broker has all, `tell` what a person should know.
    """

    def __init__(
        self,
        settings: Settings,
        url: URL,
        patience: float,
        stop: asyncio.Event,
        confirmed: Callable[[int], None],
        tell: Callable[[str], None],
    ) -> None:
        self.messages = 0
        """Confirmed ones."""
        self._settings = settings
        self._url = url
        self._patience = patience
        self._stop = stop
        self._confirmed = confirmed
        self._tell = tell
        self._pending: deque[_Pending] = deque()
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None
        self._trouble_since: float | None = None
        self._delay = _BACKOFF_SECONDS[0]

    async def put(self, last_row: int, message: CrmMessage) -> None:
        """Publish the changes up to that row, once fewer than WINDOW messages are unconfirmed; perhaps there are none.

        Raises ServiceError when patience has come to its end, StoppedError when asked to stop meanwhile.
        """
        body = encode(message) if message.changes else b""
        self._pending.append(_Pending(last_row, body, str(message.message_id)))
        await self._advance(WINDOW - 1)

    async def finish(self) -> None:
        """Wait until all is confirmed. Raises as `put`."""
        await self._advance(0)

    async def close(self) -> None:
        """Give up what is not confirmed, and the connection."""
        publishing = [each.publish for each in self._pending if each.publish]
        for task in publishing:
            task.cancel()
        await asyncio.gather(*publishing, return_exceptions=True)
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is None:
            return
        try:
            # A blocked or half-open connection never answers.
            async with asyncio.timeout(_CLOSE_SECONDS):
                await connection.close()
        except BROKER_ERRORS:
            return  # it was of no use any more

    async def _advance(self, most: int) -> None:
        """Publish what is pending, and wait until at most that many messages are unconfirmed."""
        while True:
            try:
                await self._publish_pending()
                while self._pending and (len(self._pending) > most or self._pending[0].is_confirmed):
                    await self._take_first()
            except BROKER_ERRORS as error:
                await self._recover(error)
            else:
                return

    async def _publish_pending(self) -> None:
        for each in self._pending:
            if each.body and (each.publish is None or each.has_failed):
                exchange = self._exchange or await self._connect()
                each.publish = asyncio.create_task(_publish(exchange, each))
        # Has them written before the next rows are read.
        await asyncio.sleep(0)

    async def _take_first(self) -> None:
        first = self._pending[0]
        if first.publish is not None:
            await first.publish
        self._pending.popleft()
        if first.body:
            self.messages += 1
            self._recovered()
        self._confirmed(first.last_row)

    async def _connect(self) -> AbstractExchange:
        async with asyncio.timeout(_ANSWER_SECONDS):
            self._connection = await aio_pika.connect(self._url)
            channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
            await declare(channel, self._settings.topology)
            self._exchange = await channel.get_exchange(self._settings.topology.crm.name, ensure=False)
        return self._exchange

    async def _recover(self, error: BaseException) -> None:
        """Wait a little before the next attempt. Raises when there is to be none."""
        now = asyncio.get_running_loop().time()
        if self._trouble_since is None:
            self._trouble_since = now
            self._tell(f"RabbitMQ takes no messages ({_reason(error)}); trying for up to {self._patience:g} s")
        if isinstance(error, PublishError) or not isinstance(error, DeliveryError):
            await self.close()
        left = self._trouble_since + self._patience - now
        if left <= 0:
            raise ServiceError(f"AMQP_URL: RabbitMQ took no messages for {self._patience:g} s ({_reason(error)})")
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
        if await wait_or_stop(self._stop, min(self._delay * jitter, left)):
            raise StoppedError
        self._delay = min(self._delay * 2, _BACKOFF_SECONDS[1])

    def _recovered(self) -> None:
        if self._trouble_since is not None:
            seconds = asyncio.get_running_loop().time() - self._trouble_since
            self._tell(f"RabbitMQ takes messages again, after {seconds:.0f} s")
        self._trouble_since = None
        self._delay = _BACKOFF_SECONDS[0]


def broker_url(settings: Settings) -> URL:
    """Return the address of the broker. Raises ConfigurationError when it is none."""
    try:
        url = URL(settings.amqp_url.get_secret_value())
    except ValueError:
        url = URL()
    if url.scheme not in ("amqp", "amqps") or not url.host:
        raise ConfigurationError("AMQP_URL: is no connection URL. Example: amqp://user:password@mq.example:5672/")
    return url.update_query(heartbeat=settings.amqp_heartbeat_seconds, name="vibes-pipeline persons import")


async def _publish(exchange: AbstractExchange, pending: _Pending) -> None:
    message = aio_pika.Message(
        pending.body,
        content_type=CONTENT_TYPE,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=pending.message_id,
    )
    # aio-pika's own timeout does not cover all it waits for.
    async with asyncio.timeout(_ANSWER_SECONDS):
        await exchange.publish(message, ROUTING_KEY, mandatory=True)


def _reason(error: BaseException) -> str:
    if isinstance(error, PublishError):
        return "no queue takes them"
    if isinstance(error, DeliveryError):
        return "it refuses them; is the queue full?"
    if isinstance(error, TimeoutError):
        return f"no answer within {_ANSWER_SECONDS:g} s; is it short of memory or disk?"
    if isinstance(error, ChannelInvalidStateError):
        return "the connection broke"
    return f"{type(error).__name__}: {error}"[:300]
