"""The record of calls: each attempt becomes a metric at once and a row of person_api_calls soon."""

import asyncio
from collections import deque
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Self

import structlog

from runtime import metrics
from runtime.lifecycle import wait_or_stop
from runtime.postgres import POSTGRES_ERRORS, Pool, statement
from vibes_api import Call, Observer
from workers.person_sync.gate import SUBJECT

log = structlog.get_logger()

_FLUSH_SECONDS = 1.0
_LAST_FLUSH_SECONDS = 5.0
_BATCH = 1000
_MAX_WAITING = 10_000


class CallRecorder:
    """Collects calls and writes them in batches; `async with` it, so that the last ones are written too.

    A crash loses the calls of the last second, an outage of Postgres those after the first 10,000: the table is a
    record, the outbox does not depend on it.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: deque[tuple[Any, ...]] = deque()
        self._dropped = 0
        self._stop = asyncio.Event()

    def observer(self, company_key: str) -> Observer:
        """Return what the client of that company reports its calls to."""

        def observe(call: Call) -> None:
            status = call.error if call.status is None else str(call.status)
            metrics.PERSON_API_CALLS.labels(company_key, call.route, status).inc()
            metrics.PERSON_API_SECONDS.labels(call.route).observe(call.latency_seconds)
            self._add(company_key, call)
            subject = SUBJECT.get(None)
            log.debug(
                "person_api.called",
                company_key=company_key,
                person_uid=str(subject.person_uid) if subject else None,
                route=call.route,
                status=status,
                attempt=call.attempt,
                seconds=round(call.latency_seconds, 3),
            )

        return observe

    async def __aenter__(self) -> Self:
        self._writing = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._stop.set()
        try:
            async with asyncio.timeout(_LAST_FLUSH_SECONDS):
                await self._writing
                await self.flush()
        except POSTGRES_ERRORS as error:
            log.warning("person_api.calls_not_recorded", calls=len(self._waiting), error=type(error).__name__)

    async def flush(self) -> None:
        """Write what is waiting. Raises POSTGRES_ERRORS, and then keeps what it could not write."""
        while self._waiting:
            batch = list(islice(self._waiting, _BATCH))
            columns = [list(column) for column in zip(*batch, strict=True)]
            await self._pool.execute(statement("person_api_record_calls"), *columns)
            for _ in batch:
                self._waiting.popleft()
        if self._dropped:
            log.error("person_api.calls_not_recorded", calls=self._dropped, error="too many while Postgres was away")
            self._dropped = 0

    async def _run(self) -> None:
        while not await wait_or_stop(self._stop, _FLUSH_SECONDS):
            try:
                await self.flush()
            except POSTGRES_ERRORS as error:
                log.warning("person_api.calls_waiting", calls=len(self._waiting), error=type(error).__name__)

    def _add(self, company_key: str, call: Call) -> None:
        if len(self._waiting) >= _MAX_WAITING:
            self._dropped += 1
            return
        subject = SUBJECT.get(None)
        self._waiting.append(
            (
                datetime.now(UTC),
                company_key,
                subject.person_uid if subject else None,
                call.method,
                call.route.removeprefix(f"{call.method} "),
                call.status,
                call.error,
                call.attempt,
                call.latency_seconds,
            )
        )
