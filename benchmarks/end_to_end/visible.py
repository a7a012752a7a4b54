"""How long after its 2xx an event can be seen in the event log, at a steady rate.

A connection of its own asks every 5 ms, by primary key, which of the acknowledged messages have rows in
`callback_events`, and what it sees is committed. That needs no clock but one, counts every callback, and costs the
database next to nothing; columns with a time would tell when the transaction began, and commit timestamps are a
setting that changes what is measured. Receipts name the message, and the callbacks of a message are one transaction.
A delay is up to 5 ms and a query too long, never too short.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from benchmarks.end_to_end.client import Client
from deploy.local.errors import ServiceError

_TICK_SECONDS = 0.001
_LOOK_SECONDS = 0.005
_PATIENCE_SECONDS = 30.0
# The times leave the partitions of other months out.
_SEEN = """
SELECT DISTINCT message_id FROM callback_events
WHERE message_id = ANY($1::uuid[]) AND received_at >= $2 AND received_at < $3
"""
_LONGEST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Delays:
    """What was measured; times in seconds."""

    callbacks: int
    rate: float
    p50: float
    p99: float
    longest: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "visible_rate": round(self.rate, 1),
            "visible_callbacks": self.callbacks,
            "visible_p50_s": round(self.p50, 4),
            "visible_p99_s": round(self.p99, 4),
            "visible_max_s": round(self.longest, 4),
        }


async def run(url: str, database_url: str, bodies: Sequence[bytes], rate: float) -> Delays:
    """Send bodies of different events at a rate, and watch for them. Raises ServiceError."""
    watch = _Watch()
    client = Client(url, bodies, watch.note)
    database = await asyncpg.connect(database_url)
    try:
        await client.open()
        watching = asyncio.ensure_future(watch.look(database, len(bodies)))
        began = time.perf_counter()
        while client.sent < len(bodies):
            client.allow(int((time.perf_counter() - began) * rate) + 1)
            await asyncio.sleep(_TICK_SECONDS)
        achieved = len(bodies) / (time.perf_counter() - began)
        await client.finish()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await watching
        except TimeoutError as error:
            missing = len(bodies) - len(watch.delays)
            raise ServiceError(
                f"{missing} events are not in the log {_PATIENCE_SECONDS:g} s after their 2xx"
            ) from error
    finally:
        await database.close()
    delays = sorted(watch.delays)
    return Delays(len(delays), achieved, _quantile(delays, 0.5), _quantile(delays, 0.99), delays[-1])


class _Watch:
    """The callbacks that were acknowledged and not seen yet, by message."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self._began = datetime.now(UTC)
        self._acknowledged: defaultdict[UUID, list[float]] = defaultdict(list)

    def note(self, receipt: str) -> None:
        """Take the time of an answer."""
        self._acknowledged[UUID(receipt.partition("/")[0])].append(time.perf_counter())

    async def look(self, database: asyncpg.Connection, callbacks: int) -> None:
        """Look until so many callbacks have been seen."""
        while len(self.delays) < callbacks:
            if asked := list(self._acknowledged):
                rows = await database.fetch(_SEEN, asked, self._began, self._began + _LONGEST)
                now = time.perf_counter()
                for row in rows:
                    self.delays.extend(now - answered for answered in self._acknowledged.pop(row["message_id"]))
            await asyncio.sleep(_LOOK_SECONDS)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value that this share of an ordered sequence does not exceed."""
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]
