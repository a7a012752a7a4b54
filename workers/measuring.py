"""What workers measure again and again for /metrics, because nothing that happens in them tells it.

Every apply process asks for open dead letters, every person-sync process for what waits to be synced, and both for the
queues. Each shows the same, so a rule takes the greatest of what the instances show.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog
from aio_pika.abc import AbstractConnection
from prometheus_client import Gauge

from runtime import metrics
from runtime.amqp import keep_connected
from runtime.companies import Companies
from runtime.lifecycle import wait_or_stop
from runtime.postgres import POSTGRES_ERRORS, Pool, statement
from runtime.queues import ask_depths
from runtime.settings import Settings
from schemas.topology import Topology

log = structlog.get_logger()

Look = Callable[[Pool], Awaitable[None]]

_EVERY_SECONDS = 15.0
_UNTIL_DECLARED_SECONDS = 1.0
"""How soon to ask again while a queue is not there: at the first start somebody is about to declare it."""
_LONGEST_SECONDS = 10.0
"""Then the service is taken for away."""
COUNT_TO = 100_000
"""Of what waits: further on, a number says no more, and counting costs more."""


async def measure_queues(settings: Settings, stop: asyncio.Event) -> None:
    """Show what waits in each queue, until `stop`.

    On a connection of its own, so that a broker that does not answer holds up nothing else.
    """

    async def session(connection: AbstractConnection) -> None:
        await _keep_asking(connection, settings.topology, stop)

    url = settings.amqp_url.get_secret_value()
    await keep_connected(url, "measure", session, stop, settings.amqp_heartbeat_seconds)


async def measure_dead_letters(pool: Pool, stop: asyncio.Event) -> None:
    """Show how many dead letters are open, until `stop`."""
    await _keep_looking(pool, _show_dead_letters, (metrics.DEAD_LETTERS_OPEN,), stop)


async def measure_syncs(pool: Pool, companies: Companies, stop: asyncio.Event) -> None:
    """Show what waits to be synced, what is in conflict, and what is left of each company's rate, until `stop`."""
    gauges = (
        metrics.PERSON_SYNC_PENDING,
        metrics.PERSON_SYNC_OLDEST_PENDING,
        metrics.PERSON_SYNC_CONFLICTS,
        metrics.PERSON_API_BUDGET_LEFT,
    )
    await _keep_looking(pool, partial(_show_syncs, companies), gauges, stop)


def show_pool(pool: Pool) -> None:
    """Show how much of a process's pool is in use; the pool is looked at with each scrape."""
    metrics.POSTGRES_POOL_MAX_CONNECTIONS.set(pool.get_max_size())
    states = metrics.POSTGRES_POOL_CONNECTIONS
    states.labels("idle").set_function(pool.get_idle_size)
    states.labels("used").set_function(lambda: pool.get_size() - pool.get_idle_size())


async def _keep_asking(connection: AbstractConnection, topology: Topology, stop: asyncio.Event) -> None:
    try:
        while not stop.is_set():
            async with asyncio.timeout(_LONGEST_SECONDS):
                depths = await ask_depths(connection, topology.queues)
            _forget(metrics.BROKER_QUEUE_MESSAGES, metrics.BROKER_QUEUE_CONSUMERS)
            for depth in depths:
                if depth.messages is not None and depth.consumers is not None:
                    metrics.BROKER_QUEUE_MESSAGES.labels(depth.queue).set(depth.messages)
                    metrics.BROKER_QUEUE_CONSUMERS.labels(depth.queue).set(depth.consumers)
            lacks_one = any(depth.messages is None for depth in depths)
            await wait_or_stop(stop, _UNTIL_DECLARED_SECONDS if lacks_one else _EVERY_SECONDS)
    finally:
        _forget(metrics.BROKER_QUEUE_MESSAGES, metrics.BROKER_QUEUE_CONSUMERS)


async def _keep_looking(pool: Pool, look: Look, gauges: Sequence[Gauge], stop: asyncio.Event) -> None:
    answered = True
    while not stop.is_set():
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                await look(pool)
            answered = True
        except POSTGRES_ERRORS as error:
            _forget(*gauges)
            if answered:  # while it stays so, the metric says it
                log.warning("postgres.not_measured", error=type(error).__name__)
            answered = False
        metrics.POSTGRES_CONNECTED.set(answered)
        await wait_or_stop(stop, _EVERY_SECONDS)


def _forget(*gauges: Gauge) -> None:
    """Show nothing of them: what was true a while ago would look as if it still were."""
    for gauge in gauges:
        gauge.clear()


async def _show_dead_letters(pool: Pool) -> None:
    rows = await pool.fetch(statement("measure_dead_letters"))
    _forget(metrics.DEAD_LETTERS_OPEN)
    for row in rows:
        labels = (row["company_key"] or "", row["stage"], row["reason"])
        metrics.DEAD_LETTERS_OPEN.labels(*labels).set(row["letters"])


async def _show_syncs(companies: Companies, pool: Pool) -> None:
    rows = await pool.fetch(statement("measure_syncs"), COUNT_TO)
    found = {row["company_key"]: row for row in rows}
    # A company that is no longer configured is shown as long as it has rows.
    _forget(metrics.PERSON_SYNC_PENDING, metrics.PERSON_SYNC_OLDEST_PENDING, metrics.PERSON_SYNC_CONFLICTS)
    for company_key in {*found, *(company.company_key for company in companies.companies)}:
        row = found.get(company_key)
        metrics.PERSON_SYNC_PENDING.labels(company_key).set(row["pending"] if row else 0)
        metrics.PERSON_SYNC_OLDEST_PENDING.labels(company_key).set(row["oldest_pending_seconds"] if row else 0)
        metrics.PERSON_SYNC_CONFLICTS.labels(company_key).set(row["conflicts"] if row else 0)
    for company in companies.companies:
        if company.has_api:
            row = found.get(company.company_key)
            # Nobody has leased anything yet.
            left = company.api_requests_per_second if row is None or row["budget_left"] is None else row["budget_left"]
            metrics.PERSON_API_BUDGET_LEFT.labels(company.company_key).set(left)
