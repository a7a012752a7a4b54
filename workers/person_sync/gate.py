"""What every attempt of a company's calls passes: the rate, the pause after a refusal, and the caller's lock."""

import time
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from uuid import UUID

import structlog

from vibes_api import AccessDenied, RateLimited
from workers.person_sync.locks import PersonLocks
from workers.person_sync.rate import FleetRate

log = structlog.get_logger()

PAUSE_SECONDS = 60.0
"""How long a company's calls rest after Vibes refused its credentials; then the next call tries them again."""


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
    """No calls are made for this company for `seconds` more."""

    def __init__(self, seconds: float) -> None:
        super().__init__("calls of this company rest, because Vibes refused its credentials")
        self.seconds = seconds


class Gate:
    """The limiter of one company's client (vibes_api's `Limiter`)."""

    def __init__(self, company_key: str, rate: FleetRate) -> None:
        self._company_key = company_key
        self._rate = rate
        self._closed_until = 0.0

    def check(self) -> None:
        """Raise CompanyPausedError while the company's calls rest."""
        left = self._closed_until - time.monotonic()
        if left > 0:
            raise CompanyPausedError(left)

    async def __aenter__(self) -> None:
        await self._rate.wait_for_slot()
        self.check()
        locks = SUBJECT.get().locks
        if locks is not None:
            await locks.confirm()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if isinstance(exc, AccessDenied):
            self._closed_until = time.monotonic() + PAUSE_SECONDS
            log.error(
                "person_api.access_denied",
                company_key=self._company_key,
                status=exc.status,
                pause_seconds=PAUSE_SECONDS,
                remedy="check api_username and its password, the region, and the client certificate if Vibes wants one",
            )
        elif isinstance(exc, RateLimited):
            await self._rate.lower()
