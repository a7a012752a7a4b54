"""Put on the queue what is due and not on it: what a crash, a failure or a lost message left behind."""

import asyncio

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection

from runtime.amqp import declare
from runtime.lifecycle import wait_or_stop
from runtime.postgres import POSTGRES_ERRORS, Pool
from runtime.settings import Settings
from schemas.person_due import BULK_ROUTING_KEY, ROUTING_KEY, PersonDue
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
            for bulk in (False, True):
                room = ENOUGH_MESSAGES - await self._waiting_messages(channel, bulk=bulk)
                due = await self._take_due(room, bulk=bulk) if room > 0 else []
                if due:
                    await publish_due(exchange, due, BULK_ROUTING_KEY if bulk else ROUTING_KEY)
                    log.info("person_sync.swept", rows=len(due), bulk=bulk)
            await wait_or_stop(stop, self._settings.person_sync_sweep_seconds)

    async def _waiting_messages(self, channel: AbstractChannel, *, bulk: bool) -> int:
        topology = self._settings.topology
        name = (topology.person_sync_bulk if bulk else topology.person_sync).name
        queue = await channel.declare_queue(name, passive=True)
        return queue.declaration_result.message_count or 0

    async def _take_due(self, limit: int, *, bulk: bool) -> list[PersonDue]:
        try:
            return await outbox.take_due(self._pool, limit, AGAIN_SECONDS, bulk=bulk)
        except POSTGRES_ERRORS as error:
            log.warning("person_sync.sweep_failed", error=type(error).__name__)
            return []
