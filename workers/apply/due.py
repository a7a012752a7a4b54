"""Tell the person workers who is due, after the transaction that put them into the outbox.

Best effort: a message that cannot be published now is not waited for. The outbox is the truth, and the person workers
sweep it for what was never told.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

import structlog
from aio_pika.abc import AbstractConnection

from runtime import tracing
from runtime.amqp import BROKER_ERRORS, declare, keep_connected
from runtime.settings import Settings
from schemas.person_due import PersonDue
from workers.publish_due import WINDOW, publish_due

log = structlog.get_logger()

_MAX_WAITING = 10_000
_A_SECOND = 50
"""Persons one process announces. Vibes takes 100 calls a second of a company; whoever is due beyond that has to wait in
any case: in the outbox, where it costs nothing, and the sweep looks there every second."""


class DuePublisher:
    """Publishes "this person is due" on a connection of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: deque[tuple[PersonDue, tracing.Carrier]] = deque(maxlen=_MAX_WAITING)
        self._wake = asyncio.Event()
        self._second = 0
        self._announced = 0

    def room(self) -> int:
        """Return how many more persons should be announced in this second; the others are left to the sweep.

        Batches under way at the same time are all told the same.
        """
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._announced = second, 0
        return max(0, _A_SECOND - self._announced)

    def publish(self, due: Sequence[PersonDue]) -> None:
        """Take over what is to be published; returns at once."""
        carrier = tracing.current().carried()
        self._waiting.extend((person, carrier) for person in due)
        self._announced += len(due)
        if due:
            self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until stopped, and then what is left."""
        await keep_connected(
            self._settings.amqp_url.get_secret_value(),
            "publish",
            lambda connection: self._publish_until(stop, connection),
            stop,
            self._settings.amqp_heartbeat_seconds,
        )

    async def _publish_until(self, stop: asyncio.Event, connection: AbstractConnection) -> None:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await declare(channel, self._settings.topology)
        exchange = await channel.get_exchange(self._settings.topology.syncs.name, ensure=False)
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not (stop.is_set() and not self._waiting):
                window = [self._waiting.popleft() for _ in range(min(WINDOW, len(self._waiting)))]
                if window:
                    await publish_due(exchange, [each for each, _ in window], carriers=[each for _, each in window])
                    continue
                self._wake.clear()
                waking = asyncio.ensure_future(self._wake.wait())
                await asyncio.wait((waking, stopping), return_when=asyncio.FIRST_COMPLETED)
                waking.cancel()
        except BROKER_ERRORS as error:
            log.warning("apply.due_not_published", error=type(error).__name__, left_to_the_sweep=len(self._waiting))
            raise
        finally:
            stopping.cancel()
