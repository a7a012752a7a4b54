"""What PostgreSQL and asyncpg would take at most: the apply code's own statements, with their arguments ready.

The apply code runs once over the batches, on one database, and every statement it executes is kept. They are then
executed again on another, just as fresh, without that code: no broker, no decoding, no folding.
"""

import gc
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvloop

from benchmarks.apply.backlog import COMPANY, GROUP, Expected
from benchmarks.apply.databases import fresh_database
from benchmarks.apply.recording import Recorder, Transaction, replay
from benchmarks.queued import grouped
from deploy.local.errors import ServiceError
from deploy.local.stack import Stack
from runtime.companies import Companies, load_companies
from runtime.postgres import Pool, create_pool
from runtime.settings import Settings
from schemas.broker_message import CallbackMessage
from workers.apply.reading import countries, read_message
from workers.apply.settle import settle

BATCH: int = Settings.model_construct().apply_batch_callbacks
"""Callbacks a transaction, as the apply workers have it by default."""

_TABLES = ("callback_events", "callback_ledger", "callback_messages", "persons", "subscriptions", "dead_letters")
"""Whose rows depend on the statements alone, in whatever order transactions commit."""


class Ceiling:
    """The statements for one backlog. `blank` is a migrated stack whose database nobody uses: others are its copies."""

    def __init__(self, blank: Stack, bodies: Sequence[bytes], expected: Expected) -> None:
        self._blank = blank
        self._callbacks = expected.callbacks
        companies = load_companies(Path(blank.environment["VIBES_PIPELINE_COMPANIES_FILE"]))
        with fresh_database(blank) as url:
            self._transactions, self._state = uvloop.run(_record(url, companies, bodies))
        if self._state["callback_events"] != expected.events or self._state["dead_letters"]:
            raise ServiceError(f"while it was recorded the apply code left {self._state} of {expected}")

    def rate(self, connections: int = 1) -> float:
        """Execute them on a fresh database, a transaction at a time on each connection; return events a second.

        Raises ServiceError when that leaves something else than before.
        """
        with fresh_database(self._blank) as url:
            seconds, state = uvloop.run(_replay(url, self._transactions, connections))
        if state != self._state:
            raise ServiceError(f"the same statements left {self._state} at first, and {state} when executed again")
        return self._callbacks / seconds


async def _record(url: str, companies: Companies, bodies: Sequence[bytes]) -> tuple[list[Transaction], dict[str, int]]:
    country_of = countries(companies)
    async with create_pool(url, "benchmark", min_size=1, max_size=1) as pool:
        recorder = Recorder(pool)
        for batch in _batches(grouped(COMPANY, bodies, GROUP)):
            await settle(recorder.as_pool(), [read_message(message, country_of) for message in batch], companies)
        return recorder.transactions, await _state(pool)


async def _replay(url: str, transactions: Sequence[Transaction], connections: int) -> tuple[float, dict[str, int]]:
    # What was recorded is no garbage: looking through it would slow the replay down.
    gc.collect()
    gc.freeze()
    try:
        async with create_pool(url, "benchmark", min_size=connections, max_size=connections) as pool:
            started = time.monotonic()
            await replay(pool, transactions, connections)
            return time.monotonic() - started, await _state(pool)
    finally:
        gc.unfreeze()


async def _state(pool: Pool) -> dict[str, int]:
    """Return how many rows the tables have."""
    return {table: await pool.fetchval(f"SELECT count(*) FROM {table}") for table in _TABLES}  # noqa: S608 - constants


def _batches(messages: Iterator[CallbackMessage]) -> Iterator[list[CallbackMessage]]:
    """Cut as an apply worker does when there is no lack of messages."""
    batch: list[CallbackMessage] = []
    for message in messages:
        batch.append(message)
        if sum(len(each.callbacks) for each in batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
