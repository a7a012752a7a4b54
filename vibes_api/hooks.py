"""Where a caller plugs in: the record of each HTTP attempt, and the limiter each attempt waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP attempt: few distinct values, no personal data, so it can become metrics as it is.

    Attributes:
        method: `GET`, `POST`, `PUT` or `DELETE`.
        route: method and path template, for example `PUT /persons/external/{external_person_id}`.
        status: the HTTP status, None when no answer began.
        latency_seconds: from the sending to the last byte of the answer, without the wait for the limiter.
        attempt: counted from 1 within one call.
        error: the `kind` of the VibesError it ended with, `interrupted` when it was cancelled, None when it
            succeeded.

    """

    method: str
    route: str
    status: int | None
    latency_seconds: float
    attempt: int
    error: str | None


Observer: TypeAlias = Callable[[Call], None]
"""Called once for each attempt, in the event loop: it must be quick. What it raises reaches the caller."""


class Limiter(Protocol):
    """Asynchronous context manager that lets an attempt in when there is room for it.

    Entered once for each attempt, retries included, and left when the attempt has ended; the VibesError of a
    failed attempt is handed to `__aexit__`, so a limiter can slow down on RateLimited. aiolimiter's
    AsyncLimiter and asyncio.Semaphore fit as they are.
    """

    async def __aenter__(self) -> object:
        """Wait until the attempt may be made. What this raises ends the call."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
        /,
    ) -> None:
        """Take note of the end of the attempt."""
