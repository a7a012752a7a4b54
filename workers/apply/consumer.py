"""Consume one apply queue: batch after batch, settled, then acked."""

import asyncio
import time
from datetime import UTC, datetime
from functools import partial

import structlog
from aio_pika.abc import AbstractConnection

from runtime import metrics, tracing
from runtime.companies import Companies
from runtime.postgres import Pool
from runtime.settings import Settings
from schemas.broker_message import CallbackMessage
from schemas.topology import Queue
from schemas.values import loggable
from workers.apply.batches import CALLBACKS, Batch, limits_of
from workers.apply.blame import blames_us
from workers.apply.dead_letters import set_aside_undeliverable, set_aside_unreadable
from workers.apply.due import DuePublisher
from workers.apply.in_flight import InFlight
from workers.apply.inbox import Inbox, open_inbox
from workers.apply.patience import until_done, wait_for_postgres
from workers.apply.pipeline import Pipeline
from workers.apply.reading import ReadCallback, ReadMessage, countries, read_message
from workers.apply.settle import rehearse, settle
from workers.apply.storm import Case, StormGuard
from workers.apply.transaction import Settled
from workers.apply.unapplied import Unapplied

log = structlog.get_logger()

BATCHES_AT_ONCE = 2
"""Of one queue: Postgres works on one while the other is read, folded and put into arguments."""
_PREFETCH_DEAD = 10


class ApplyConsumer:
    """Applies what comes from one queue, on a channel of its own: its acks cover all earlier deliveries."""

    def __init__(
        self,
        settings: Settings,
        companies: Companies,
        pool: Pool,
        queue: Queue,
        due: DuePublisher,
        guard: StormGuard,
        stop: asyncio.Event,
    ) -> None:
        self._settings = settings
        self._companies = companies
        self._country_of = countries(companies)
        self._pool = pool
        self._queue = queue
        self._due = due
        self._guard = guard
        self._stop = stop
        self._limits = limits_of(settings)
        self._in_flight = InFlight()
        self._tells_each = settings.log_level == "DEBUG"
        self.unapplied = Unapplied()

    async def run(self, connection: AbstractConnection) -> None:
        """Consume until stopped, finish what was delivered already, and return.

        Waits for Postgres first: what cannot be applied is better left in the queue. Raises ServiceError when Postgres
        stays away and in a poison storm (then the next run waits for its end), BROKER_ERRORS when the connection
        breaks; the broker then delivers again what was not acked.
        """
        await wait_for_postgres(self._pool, self._stop)
        await self._guard.wait_for_calm(self._stop)
        self.unapplied.take_again()
        prefetch = self._settings.apply_prefetch_messages
        async with open_inbox(connection, self._settings.topology, self._queue, prefetch, self._stop) as inbox:
            pipeline = Pipeline(self._settle, BATCHES_AT_ONCE)
            await pipeline.run(partial(self._next_batch, inbox))

    async def _next_batch(self, inbox: Inbox) -> Batch[CallbackMessage] | None:
        batch = await inbox.next_batch(self._limits, CALLBACKS)
        self._guard.refuse_while_raging()  # one that another queue of this process has met
        return batch

    async def _settle(self, batch: Batch[CallbackMessage]) -> None:
        with (
            tracing.current().caused_by("apply callbacks", batch.carriers, callbacks=batch.items),
            self.unapplied.batch(batch.messages),
        ):
            await self._apply(batch)

    async def _apply(self, batch: Batch[CallbackMessage]) -> None:
        self._guard.refuse_later(batch.later)
        messages = await self._read(batch)
        case = self._case(batch, messages)
        started = time.monotonic()
        await until_done(lambda: set_aside_unreadable(self._pool, batch.unreadable), self._stop)
        keys = {callback.event.key for message in messages for callback in message.callbacks if callback.event}
        with self._in_flight.batch(keys) as elsewhere:
            apply = partial(
                settle,
                self._pool,
                messages,
                self._companies,
                elsewhere=elsewhere,
                announce=self._due.room(),
                watch=case.refused,
            )
            settled = await until_done(apply, self._stop)
        self._due.publish(settled.due)
        _measure(messages, settled, time.monotonic() - started)
        if self._tells_each:
            _tell_each(messages, settled)
        case.settled()

    async def _read(self, batch: Batch[CallbackMessage]) -> list[ReadMessage]:
        messages = []
        for message in batch.messages:
            messages.append(read_message(message, self._country_of))
            await asyncio.sleep(0)  # the other batch's answer from Postgres may be here
        return messages

    def _case(self, batch: Batch[CallbackMessage], messages: list[ReadMessage]) -> Case:
        """Tell the guard of a batch. Nobody but another release, or another program of ours, writes envelopes."""
        unread = [each for message in messages for each in message.callbacks if each.problem is not None]
        ours = sum(map(_is_our_fault, unread))
        unreadable = len(batch.unreadable)
        return self._guard.case(batch.items + unreadable, ours + unreadable, partial(self._rehearse, batch))

    async def _rehearse(self, batch: Batch[CallbackMessage]) -> None:
        messages = await self._read(batch)
        await rehearse(self._pool, messages, self._companies, self._case(batch, messages).refused)


class DeadLetterConsumer:
    """Moves what the broker has given up delivering to the dead_letters table."""

    def __init__(self, settings: Settings, companies: Companies, pool: Pool, stop: asyncio.Event) -> None:
        self._settings = settings
        self._companies = companies
        self._pool = pool
        self._stop = stop

    async def run(self, connection: AbstractConnection) -> None:
        """Consume until stopped; raises like ApplyConsumer.run."""
        await wait_for_postgres(self._pool, self._stop)
        topology = self._settings.topology
        async with open_inbox(connection, topology, topology.dead_letters, _PREFETCH_DEAD, self._stop) as inbox:
            while (incoming := await inbox.next()) is not None:
                await until_done(partial(set_aside_undeliverable, self._pool, incoming, self._companies), self._stop)
                await incoming.ack()


def _is_our_fault(callback: ReadCallback) -> bool:
    received, problem = callback.received, callback.problem
    return problem is not None and blames_us(problem, received.body, received.headers.get("content-encoding"))


def _tell_each(messages: list[ReadMessage], settled: Settled) -> None:
    for callback in (each for message in messages for each in message.callbacks):
        message_id, position = callback.receipt
        outcome = settled.outcomes.get(callback.receipt)
        log.debug(
            "apply.settled",
            company_key=callback.company_key,
            callback_type=callback.event.callback_type.value if callback.event else "",
            event_id=loggable(callback.event.event_id) if callback.event else "",
            outcome=outcome.name.lower() if outcome else "redelivered",
            receipt=f"{message_id}/{position}",
        )


def _measure(messages: list[ReadMessage], settled: Settled, seconds: float) -> None:
    for (company_key, outcome), count in settled.counts.items():
        metrics.APPLY_CALLBACKS.labels(company_key, outcome.name.lower()).inc(count)
    metrics.APPLY_BATCH_CALLBACKS.observe(settled.counts.total())
    metrics.APPLY_TRANSACTION_SECONDS.observe(seconds)
    metrics.APPLY_REDELIVERED.inc(settled.redelivered)
    metrics.APPLY_LAST_APPLIED.set_to_current_time()
    # A message's first callback is its oldest.
    received = [message.callbacks[0].received.received_at for message in messages if message.callbacks]
    if received:
        metrics.APPLY_LAG_SECONDS.set((datetime.now(UTC) - min(received)).total_seconds())
