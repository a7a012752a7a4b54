"""What every attempt of a company's calls passes: two breakers, the rate, and the caller's lock."""

import asyncio
import random
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from uuid import UUID

import structlog

from runtime import metrics
from vibes_api import AccessDenied, RateLimited, Rejected, Unavailable
from workers.person_sync.breaker import Breaker
from workers.person_sync.locks import PersonLocks
from workers.person_sync.rate import FleetRate

log = structlog.get_logger()

PAUSE_SECONDS = 60.0
"""How long a company's calls rest after Vibes refused its credentials; then one call tries them again."""
FAILURES = 10
"""After so many attempts in a row without a usable answer a company's calls rest."""
COOL_DOWN_SECONDS = 5.0
LONGEST_COOL_DOWN_SECONDS = 60.0
BULK_PATIENCE_SECONDS = 10.0
"""How long a bulk call waits for live ones before it is put off: it holds its person's lock, and live changes of the
same person would wait with it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom the calls of the current task are about, and the locks that make it safe to make them."""

    person_uid: UUID
    locks: PersonLocks | None
    """None for calls that change nothing at Vibes: they need no lock."""
    bulk: bool = False
    """Whether the calls wait for those that are not."""


SUBJECT: ContextVar[Subject] = ContextVar("subject")


class CompanyPausedError(Exception):
    """The call is not made now, for a reason that has nothing to do with it; it may be in `seconds`."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class _Tickets:
    access: int
    answers: int


_TICKETS: ContextVar[_Tickets] = ContextVar("tickets")


class Gate:
    """The limiter of one company's client (vibes_api's `Limiter`)."""

    def __init__(self, company_key: str, rate: FleetRate, clock: Callable[[], float] = time.monotonic) -> None:
        self._company_key = company_key
        self._rate = rate
        # Whether Vibes takes the credentials, and whether it answers at all.
        self._access = Breaker(1, PAUSE_SECONDS, PAUSE_SECONDS, clock)
        self._answers = Breaker(FAILURES, COOL_DOWN_SECONDS, LONGEST_COOL_DOWN_SECONDS, clock)
        self._last_failure = ""
        self._show()

    def check(self) -> None:
        """Raise CompanyPausedError while the company's calls rest."""
        if left := self._access.seconds_left:
            raise CompanyPausedError(left, "calls of this company rest, because Vibes refused its credentials")
        if left := self._answers.seconds_left:
            raise CompanyPausedError(
                left, f"calls of this company rest, because Vibes fails again and again ({self._last_failure})"
            )

    async def __aenter__(self) -> None:
        """Wait for the attempt's turn.

        Raises CompanyPausedError, LocksLostError, and ServiceError when Postgres cannot say whose turn it is.
        """
        self.check()
        await self._wait_for_slot(SUBJECT.get())
        self.check()
        _TICKETS.set(_Tickets(self._access.admit(), self._answers.admit()))

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        tickets = _TICKETS.get()
        if exc is None or isinstance(exc, Rejected):
            self._succeed(tickets)
        elif isinstance(exc, AccessDenied):
            self._deny(tickets, exc)
        elif isinstance(exc, Unavailable) and not isinstance(exc, RateLimited):
            self._fail(tickets, exc)
        else:
            self._abandon(tickets)
        self._show()
        if isinstance(exc, RateLimited):
            await self._rate.lower()

    async def _wait_for_slot(self, subject: Subject) -> None:
        confirm = subject.locks.confirm if subject.locks else None
        if not subject.bulk:
            await self._rate.wait_for_slot(confirm)
            return
        try:
            async with asyncio.timeout(BULK_PATIENCE_SECONDS):
                await self._rate.wait_for_slot(confirm, bulk=True)
        except TimeoutError:
            seconds = BULK_PATIENCE_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
            raise CompanyPausedError(seconds, "other calls of this company come first") from None

    def _succeed(self, tickets: _Tickets) -> None:
        if self._access.succeeded(tickets.access):
            log.info("person_api.access_restored", company_key=self._company_key)
        self._answered(tickets)

    def _deny(self, tickets: _Tickets, error: AccessDenied) -> None:
        if self._access.failed(tickets.access):
            log.error(
                "person_api.access_denied",
                company_key=self._company_key,
                status=error.status,
                pause_seconds=PAUSE_SECONDS,
                remedy="check api_username and its password, the region, and the client certificate if Vibes wants one",
            )
        self._answered(tickets)

    def _answered(self, tickets: _Tickets) -> None:
        if self._answers.succeeded(tickets.answers):
            log.info("person_api.circuit_closed", company_key=self._company_key)

    def _fail(self, tickets: _Tickets, error: Unavailable) -> None:
        self._access.abandoned(tickets.access)
        if self._answers.failed(tickets.answers):
            self._last_failure = error.kind if error.status is None else f"{error.kind}, status {error.status}"
            log.error(
                "person_api.circuit_opened",
                company_key=self._company_key,
                last_failure=self._last_failure,
                pause_seconds=self._answers.seconds_left,
                remedy="look at status.vibes.com and at this host's way to the internet; calls go on by themselves",
            )

    def _abandon(self, tickets: _Tickets) -> None:
        self._access.abandoned(tickets.access)
        self._answers.abandoned(tickets.answers)

    def _show(self) -> None:
        metrics.PERSON_API_PAUSED.labels(self._company_key).set(self._access.state != "closed")
        metrics.PERSON_API_CIRCUIT_OPEN.labels(self._company_key).set(self._answers.state != "closed")
