"""How fast the Vibes API may be called for a company, by all workers of the fleet together.

The fleet shares one row a company (`api_rates`): time is cut into slots, one request each, and a worker leases as many
as it has requests waiting, with one short update. So requests are spaced evenly however many workers there are; a
bucket each worker empties at once would pass Vibes' sliding second. What a worker leases and does not use, because it
died, is lost to the fleet for a moment and to nobody else.

Live requests always lease, at the end of what is leased. Bulk requests lease a few slots, and only while hardly any are
leased ahead: where live requests want the whole rate they get nothing, and alone they get all of it. So a live request
waits behind bulk ones for `_AHEAD_SECONDS + _BULK_LEASE_SECONDS` at most (or for one slot, where the rate is lower).

A worker that is held up past its slot leases another. What takes time before a request can go out is done just before
its slot begins, so that requests arrive at Vibes as evenly as they were leased.

Vibes sends no Retry-After and no limit headers: after a 429 the rate is lowered for all, more after several, and rises
again slowly.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog

from runtime import metrics
from runtime.postgres import POSTGRES_ERRORS, Pool, statement
from schemas.errors import ServiceError
from workers.person_sync.slots import DatabaseClock, Lease, Line

log = structlog.get_logger()

MakeReady: TypeAlias = Callable[[], Awaitable[None]]
"""What has to be done last before a request, and takes time."""

_MOST_SLOTS = 20
"""Of one lease: few enough that several workers take turns within a second."""
VIBES_LIMIT = 100
"""Requests Vibes takes in any second (docs/vibes.md); some companies have agreed on more."""
_LATEST_SECONDS = (0.02, 0.1)
"""The least and the most a request may be late for its slot."""
_SPARE_SECONDS = 0.02
"""How long before its slot a request is ready."""
_LONGEST_LEAD_SECONDS = 1.0
_AHEAD_SECONDS = 0.08
"""How far ahead of what is leased at once anyway slots may be leased for bulk requests to lease too: long enough to ask
again before it is over."""
_BULK_LEASE_SECONDS = 0.05
"""How much time bulk requests lease at once."""
_ASK_SPREAD_SECONDS = 0.02
_LATELY = 50
"""Of how many measured times the longest or the shortest counts."""
_DATABASE_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::double precision"
_RISE_A_SECOND = 0.02
_LEAST_SHARE = 0.1
_SAME_EXCESS_SECONDS = 1.0
_LOWER_TO = 0.95
"""A 429 now and then: some requests were late, and arrived with the next ones."""
_LOWER_AGAIN_TO = 0.8
"""One after the other: somebody else calls too, or Vibes allows less than is configured."""
_AGAIN_SECONDS = 10.0


class FleetRate:
    """The rate of one company."""

    def __init__(self, pool: Pool, company_key: str, requests_per_second: float) -> None:
        self._pool = pool
        self._company_key = company_key
        self._requests_per_second = requests_per_second
        self._rate = requests_per_second
        self._latest = latest_seconds(requests_per_second)
        self._loop = asyncio.get_running_loop()
        self._took = deque([0.0], maxlen=_LATELY)
        self._clock = DatabaseClock(self._loop.time)
        self._live = Line(self._lease_live)
        self._bulk = Line(self._lease_bulk)

    async def wait_for_slot(self, make_ready: MakeReady | None = None, *, bulk: bool = False) -> None:
        """Wait until a request may be sent; `bulk`: after those that are not.

        `make_ready` is awaited just before the slot begins, and again for another slot if that one is missed. A bulk
        request waits as long as there are others. Raises ServiceError when Postgres cannot lease a slot, and what
        `make_ready` raises.
        """
        line = self._bulk if bulk else self._live
        while True:
            begins_at = await line.next_slot()
            if make_ready is not None:
                await asyncio.sleep(begins_at - self._lead - self._loop.time())
                began = self._loop.time()
                await make_ready()
                self._took.append(self._loop.time() - began)
            await asyncio.sleep(begins_at - self._loop.time())
            if self._loop.time() - begins_at < self._latest:
                return

    @property
    def _lead(self) -> float:
        """How long before its slot a request makes ready: by what it took lately, generously."""
        return min(_SPARE_SECONDS + 2 * max(self._took), _LONGEST_LEAD_SECONDS)

    async def lower(self) -> None:
        """Slow the fleet down, because Vibes answered 429. Raises ServiceError."""
        try:
            rate = await self._pool.fetchval(
                statement("lower_api_rate"),
                self._company_key,
                self._requests_per_second,
                _LEAST_SHARE,
                _SAME_EXCESS_SECONDS,
                _LOWER_TO,
                _LOWER_AGAIN_TO,
                _AGAIN_SECONDS,
            )
        except POSTGRES_ERRORS as error:
            raise ServiceError(f"Postgres cannot note a 429 now: {type(error).__name__}") from error
        if rate is not None:
            log.warning("person_api.rate_lowered", company_key=self._company_key, requests_per_second=round(rate, 1))

    async def _lease_live(self, wanted: int) -> Lease | float:
        return await self._ask_for(min(wanted, _MOST_SLOTS), None)

    async def _lease_bulk(self, wanted: int) -> Lease | float:
        most = max(1, int(self._rate * _BULK_LEASE_SECONDS))
        return await self._ask_for(min(wanted, most, _MOST_SLOTS), self._lead + _AHEAD_SECONDS)

    async def _ask_for(self, slots: int, ahead_seconds: float | None) -> Lease | float:
        """Return a lease, or in how many seconds to ask again. Raises ServiceError."""
        try:
            while not self._clock.is_known:
                self._clock.show(await self._pool.fetchval(_DATABASE_CLOCK))
            row = await self._pool.fetchrow(
                statement("lease_api_slots"),
                self._company_key,
                slots,
                self._requests_per_second,
                _RISE_A_SECOND,
                ahead_seconds,
                self._lead,
            )
        except POSTGRES_ERRORS as error:
            raise ServiceError(f"Postgres cannot lease a slot now: {type(error).__name__}") from error
        if row is None or row["begins_at"] is None:
            # Spread, so that the workers do not all ask for the same slots.
            return max(row["ask_in"] if row else 0.0, 0.0) + random.uniform(0, _ASK_SPREAD_SECONDS)  # noqa: S311
        self._rate = 1 / row["seconds_apart"]
        metrics.PERSON_API_RATE.labels(self._company_key).set(self._rate)
        self._clock.show(row["told_at"])
        return Lease(slots, self._clock.here(row["begins_at"]), row["seconds_apart"])


def latest_seconds(requests_per_second: float) -> float:
    """Return by how much a request may miss its slot and be sent all the same.

    Requests that are late add to those of later slots: so many fit between the rate and Vibes' limit.
    """
    least, most = _LATEST_SECONDS
    return min(max((VIBES_LIMIT - 1) / requests_per_second - 1, least), most)
