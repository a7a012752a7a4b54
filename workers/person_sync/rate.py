"""How fast the Vibes API may be called for a company, by all workers of the fleet together.

The fleet shares one row a company (`api_rates`): time is cut into slots, one request each, and a worker leases as many
as it has requests waiting, with one short update. So requests are spaced evenly however many workers there are; a
bucket each worker empties at once would pass Vibes' sliding second. What a worker leases and does not use, because it
died, is lost to the fleet for a moment and to nobody else.

Vibes sends no Retry-After and no limit headers: after a 429 the rate is lowered for all, and rises again slowly.
"""

import asyncio
from collections import deque

import structlog

from runtime.postgres import POSTGRES_ERRORS, Pool, statement
from schemas.errors import ServiceError

log = structlog.get_logger()

_MOST_SLOTS = 20
"""Of one lease: few enough that several workers take turns within a second."""
_STALE_SECONDS = 0.1
"""A slot is missed by a worker that was held up for longer: its request must not add to those of later slots."""
_RISE_A_SECOND = 0.02
_LOWER_TO = 0.7
_LEAST_SHARE = 0.1
_SAME_EXCESS_SECONDS = 1.0


class FleetRate:
    """The rate of one company."""

    def __init__(self, pool: Pool, company_key: str, requests_per_second: float) -> None:
        self._pool = pool
        self._company_key = company_key
        self._requests_per_second = requests_per_second
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[float]] = deque()
        self._leasing: asyncio.Task[None] | None = None

    async def wait_for_slot(self) -> None:
        """Wait until a request may be sent. Raises ServiceError when Postgres cannot lease a slot."""
        while True:
            begins_at = await self._next_slot()
            await asyncio.sleep(begins_at - self._loop.time())
            if self._loop.time() - begins_at < _STALE_SECONDS:
                return

    async def lower(self) -> None:
        """Slow the fleet down, because Vibes answered 429. Raises ServiceError."""
        try:
            rate = await self._pool.fetchval(
                statement("lower_api_rate"),
                self._company_key,
                self._requests_per_second,
                _LOWER_TO,
                _LEAST_SHARE,
                _SAME_EXCESS_SECONDS,
            )
        except POSTGRES_ERRORS as error:
            raise ServiceError(f"Postgres cannot note a 429 now: {type(error).__name__}") from error
        if rate is not None:
            log.warning("person_api.rate_lowered", company_key=self._company_key, requests_per_second=round(rate, 1))

    async def _next_slot(self) -> float:
        slot: asyncio.Future[float] = self._loop.create_future()
        self._waiting.append(slot)
        if self._leasing is None:
            self._leasing = asyncio.create_task(self._lease())
        return await slot

    async def _lease(self) -> None:
        """Lease for all that wait; those who come meanwhile share the next lease."""
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(_MOST_SLOTS, len(self._waiting)))]
                await self._lease_for([slot for slot in group if not slot.done()])
        finally:
            self._leasing = None

    async def _lease_for(self, group: list[asyncio.Future[float]]) -> None:
        if not group:
            return
        try:
            row = await self._pool.fetchrow(
                statement("lease_api_slots"), self._company_key, len(group), self._requests_per_second, _RISE_A_SECOND
            )
        except POSTGRES_ERRORS as error:
            for slot in group:
                if not slot.done():
                    slot.set_exception(ServiceError(f"Postgres cannot lease a slot now: {type(error).__name__}"))
            return
        assert row is not None  # noqa: S101 - the statement always returns a row
        first = self._loop.time() + row["begins_in"]
        for number, slot in enumerate(group):
            if not slot.done():
                slot.set_result(first + number * row["seconds_apart"])
