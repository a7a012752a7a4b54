"""Consume the changes of the CRM: batch after batch, settled, then acked."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import chain

from aio_pika.abc import AbstractConnection

from runtime import metrics, tracing
from runtime.companies import Companies
from runtime.postgres import Pool
from runtime.settings import Settings
from workers.apply.batches import Batch, limits_of
from workers.apply.crm_reading import CRM_CHANGES, ReadChange, ReadChanges
from workers.apply.crm_settle import Outcomes, rehearse_changes, settle_changes
from workers.apply.dead_letters import set_aside_unreadable
from workers.apply.inbox import open_inbox
from workers.apply.patience import until_done, wait_for_postgres
from workers.apply.storm import Case, StormGuard


class CrmConsumer:
    """Folds what comes from the queue of the CRM's changes into its records, on a channel of its own.

    Nothing is published after a commit: the changes wait for further ones of the same record, and the sweep of the
    person workers finds the records when they are due.
    """

    def __init__(
        self, settings: Settings, companies: Companies, pool: Pool, guard: StormGuard, stop: asyncio.Event
    ) -> None:
        self._settings = settings
        self._companies = companies
        self._pool = pool
        self._guard = guard
        self._stop = stop

    async def run(self, connection: AbstractConnection) -> None:
        """Consume until stopped, finish what was delivered already, and return; raises like ApplyConsumer.run."""
        await wait_for_postgres(self._pool, self._stop)
        await self._guard.wait_for_calm(self._stop)
        topology = self._settings.topology
        prefetch = self._settings.apply_prefetch_messages
        limits = limits_of(self._settings)
        async with open_inbox(connection, topology, topology.crm_changes, prefetch, self._stop) as inbox:
            while (batch := await inbox.next_batch(limits, CRM_CHANGES)) is not None:
                with tracing.current().caused_by("apply crm changes", batch.carriers, changes=batch.items):
                    await self._deal_with(batch)

    async def _deal_with(self, batch: Batch[ReadChanges]) -> None:
        self._guard.refuse_later(batch.later)
        changes = list(chain.from_iterable(message.changes for message in batch.messages))
        case = self._case(batch, changes)
        await until_done(partial(set_aside_unreadable, self._pool, batch.unreadable), self._stop)
        outcomes = await until_done(
            partial(settle_changes, self._pool, changes, self._companies, case.refused), self._stop
        )
        await batch.ack()
        _measure(outcomes)
        case.settled()

    def _case(self, batch: Batch[ReadChanges], changes: Sequence[ReadChange]) -> Case:
        """Tell the guard of a batch. All of it has passed our intake: whatever is wrong with it is our fault."""
        ours = len(batch.unreadable) + sum(change.problem is not None for change in changes)
        return self._guard.case(len(batch.unreadable) + len(changes), ours, partial(self._rehearse, batch, changes))

    async def _rehearse(self, batch: Batch[ReadChanges], changes: Sequence[ReadChange]) -> None:
        await rehearse_changes(self._pool, changes, self._companies, self._case(batch, changes).refused)


def _measure(outcomes: Outcomes) -> None:
    counted = Counter((change.company_key, outcome) for change, outcome in outcomes.items())
    for (company_key, outcome), count in counted.items():
        metrics.APPLY_CRM_CHANGES.labels(company_key, outcome.value).inc(count)
