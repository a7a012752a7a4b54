"""Put on the queue what is due and not on it: what a crash, a failure or a lost message left behind."""

import asyncio

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection

from runtime.amqp import declare
from runtime.lifecycle import wait_or_stop
from runtime.postgres import POSTGRES_ERRORS, Pool
from runtime.settings import Settings
from schemas.person_due import PersonDue
from workers.person_sync import outbox
from workers.publish_due import publish_due

log = structlog.get_logger()

ENOUGH_MESSAGES = 1000
"""The sweep fills the queue up to so many messages and no further: a longer queue would only hold persons twice, as
those that wait in it for longer than AGAIN_SECONDS look forgotten."""
AGAIN_SECONDS = 60.0
"""How long a swept person is left alone by other sweeps."""


class Sweeper:
    """Sweeps every `person_sync_sweep_seconds`. Any number of them may: each takes other persons."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool

    async def run(self, connection: AbstractConnection, stop: asyncio.Event) -> None:
        """Sweep until `stop`. Raises BROKER_ERRORS; what was not published then is swept again after AGAIN_SECONDS."""
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await declare(channel, self._settings.topology)
        exchange = await channel.get_exchange(self._settings.topology.syncs.name, ensure=False)
        while not stop.is_set():
            room = ENOUGH_MESSAGES - await self._waiting_messages(channel)
            due = await self._take_due(room) if room > 0 else []
            if due:
                await publish_due(exchange, due)
                log.info("person_sync.swept", persons=len(due))
            await wait_or_stop(stop, self._settings.person_sync_sweep_seconds)

    async def _waiting_messages(self, channel: AbstractChannel) -> int:
        queue = await channel.declare_queue(self._settings.topology.person_sync.name, passive=True)
        return queue.declaration_result.message_count or 0

    async def _take_due(self, limit: int) -> list[PersonDue]:
        try:
            return await outbox.take_due(self._pool, limit, AGAIN_SECONDS)
        except POSTGRES_ERRORS as error:
            log.warning("person_sync.sweep_failed", error=type(error).__name__)
            return []
