"""When a failed attempt is worth another one, and how long to wait for it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from vibes_api.errors import VibesError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full jitter, capped by attempts and by time. All times are seconds.

    The wait before attempt n+1 is random between 0 and min(`max_wait`, `first_wait` * 2**(n-1)), so that a
    fleet which failed together does not come back together. No attempt begins later than `total` after the
    call began (waiting for the limiter counts); one under way then may still use up its own timeout. Vibes
    documents no Retry-After. If one ever comes, it is added to the wait, up to `max_retry_after`. `sleep` and
    `clock` exist for tests.
    """

    attempts: int = 4
    total: float = 30.0
    first_wait: float = 0.25
    max_wait: float = 5.0
    max_retry_after: float = 30.0
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep, repr=False, compare=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("RetryPolicy.attempts must be at least 1 (1 means: never retry)")
        for name in ("total", "first_wait", "max_wait", "max_retry_after"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"RetryPolicy.{name} must be 0 or more seconds")

    def retrying(self, *, repeatable: bool) -> AsyncRetrying:
        """Return the tenacity object for one call; its time starts now.

        Retried are 429, 5xx, timeouts and connection errors. With `repeatable` False only those of them after
        which Vibes has certainly not acted.
        """
        started = self.clock()
        jitter = wait_random_exponential(multiplier=self.first_wait, max=self.max_wait)

        def worthwhile(error: BaseException) -> bool:
            return isinstance(error, VibesError) and error.retryable and (repeatable or error.never_processed)

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, VibesError) else None
            return min(asked or 0.0, self.max_retry_after) + jitter(state)

        def exhausted(state: RetryCallState) -> bool:
            next_start = self.clock() - started + state.upcoming_sleep
            return state.attempt_number >= self.attempts or next_start > self.total

        return AsyncRetrying(
            sleep=self.sleep,
            retry=retry_if_exception(worthwhile),
            wait=pause,
            stop=exhausted,
            reraise=True,
        )
