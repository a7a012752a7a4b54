"""When to stop calling somebody who does not answer, and how to find out that they do again. Pure but for the clock.

Closed: attempts pass, failures in a row are counted. Open: nothing passes until a cool-down is over. Half-open: exactly
one attempt passes, the probe; its success closes the breaker, its failure opens it again for twice as long.

Written here because the kept libraries (purgatory, circuitbreaker, aiobreaker, pybreaker) let any number of attempts
through when half-open, keep one cool-down length, read the wall clock themselves, or count what late attempts, begun
before the breaker opened, report after it.
"""

import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]

PROBE_SECONDS = 5.0
"""When to ask again while a probe is under way; nobody knows how long it takes."""


class Breaker:
    """One circuit breaker. Times are in seconds.

    It opens after `failures` in a row, first for `cool_down`, then twice as long each time a probe fails, up to
    `longest`.
    """

    def __init__(
        self, failures: int, cool_down: float, longest: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_failures = failures
        self._first_cool_down = cool_down
        self._longest_cool_down = longest
        self._clock = clock
        self._failures = 0
        self._cool_down = cool_down
        self._open_until = 0.0
        self._state: State = "closed"
        self._period = 0

    @property
    def state(self) -> State:
        """Return the state; one whose cool-down is over stays open until a probe is admitted."""
        return self._state

    @property
    def seconds_left(self) -> float:
        """Return how long nobody is admitted, 0 when somebody is now. While a probe is under way: when to ask again."""
        if self._state == "open":
            return max(self._open_until - self._clock(), 0.0)
        return PROBE_SECONDS if self._state == "half-open" else 0.0

    def admit(self) -> int:
        """Return a ticket for one attempt, which has to be settled by one of the methods below when it has ended.

        Raises RuntimeError while nobody is admitted: look at `seconds_left` first.
        """
        if self.seconds_left > 0:
            raise RuntimeError("nobody is admitted now: look at seconds_left before admit()")
        if self._state == "open":
            self._enter("half-open")
        return self._period

    def succeeded(self, ticket: int) -> bool:
        """Note that the attempt was answered; return whether that closed the breaker."""
        if ticket != self._period:
            return False
        self._failures = 0
        if self._state == "closed":
            return False
        self._cool_down = self._first_cool_down
        self._enter("closed")
        return True

    def failed(self, ticket: int) -> bool:
        """Note that the attempt failed; return whether that opened the breaker (again)."""
        if ticket != self._period:
            return False
        self._failures += 1
        if self._state == "closed" and self._failures < self._most_failures:
            return False
        if self._state == "half-open":
            self._cool_down = min(self._cool_down * 2, self._longest_cool_down)
        self._open(self._cool_down)
        return True

    def abandoned(self, ticket: int) -> None:
        """Note that the attempt ended without telling anything: was it the probe, another one may be."""
        if ticket == self._period and self._state == "half-open":
            self._open(0.0)

    def _open(self, seconds: float) -> None:
        self._open_until = self._clock() + seconds
        self._enter("open")

    def _enter(self, state: State) -> None:
        """Begin a new period: attempts of the one before no longer count, they tell of a time that is over."""
        self._state = state
        self._failures = 0
        self._period += 1
