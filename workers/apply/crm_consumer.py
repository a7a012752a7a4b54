"""Consume the changes of the CRM: batch after batch, settled, then acked."""

import asyncio
from collections import Counter
from functools import partial
from itertools import chain

from aio_pika.abc import AbstractConnection

from runtime import metrics
from runtime.companies import Companies
from runtime.postgres import Pool
from runtime.settings import Settings
from workers.apply.batches import Batch, limits_of
from workers.apply.crm_reading import CRM_CHANGES, ReadChanges
from workers.apply.crm_settle import Outcomes, settle_changes
from workers.apply.dead_letters import set_aside_unreadable
from workers.apply.inbox import open_inbox
from workers.apply.patience import until_done, wait_for_postgres


class CrmConsumer:
    """Folds what comes from the queue of the CRM's changes into its records, on a channel of its own.

    Nothing is published after a commit: the changes wait for further ones of the same record, and the sweep of the
    person workers finds the records when they are due.
    """

    def __init__(self, settings: Settings, companies: Companies, pool: Pool, stop: asyncio.Event) -> None:
        self._settings = settings
        self._companies = companies
        self._pool = pool
        self._stop = stop

    async def run(self, connection: AbstractConnection) -> None:
        """Consume until stopped, finish what was delivered already, and return; raises like ApplyConsumer.run."""
        await wait_for_postgres(self._pool, self._stop)
        topology = self._settings.topology
        prefetch = self._settings.apply_prefetch_messages
        limits = limits_of(self._settings)
        async with open_inbox(connection, topology, topology.crm_changes, prefetch, self._stop) as inbox:
            while (batch := await inbox.next_batch(limits, CRM_CHANGES)) is not None:
                await self._deal_with(batch)

    async def _deal_with(self, batch: Batch[ReadChanges]) -> None:
        await until_done(partial(set_aside_unreadable, self._pool, batch.unreadable), self._stop)
        changes = list(chain.from_iterable(message.changes for message in batch.messages))
        outcomes = await until_done(partial(settle_changes, self._pool, changes, self._companies), self._stop)
        await batch.ack()
        _measure(outcomes)


def _measure(outcomes: Outcomes) -> None:
    counted = Counter((change.company_key, outcome) for change, outcome in outcomes.items())
    for (company_key, outcome), count in counted.items():
        metrics.APPLY_CRM_CHANGES.labels(company_key, outcome.value).inc(count)
