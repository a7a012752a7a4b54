"""The rate limit of the platform API, and a record of how near to it the callers came."""

from collections import deque


class SlidingSecond:
    """Lets at most `limit` calls through in any period of one second. Refused calls do not count against it.

    `peak` is the largest number of calls that arrived within a second, let through or not, and `refused` counts
    those that were not. Pure: the caller gives the time, in seconds on any clock that does not go back.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._let_through: deque[float] = deque()
        self._arrived: deque[float] = deque()
        self.peak = 0
        self.refused = 0

    def admit(self, now: float) -> bool:
        """Whether a call that arrives now may pass."""
        _forget(self._arrived, now)
        self._arrived.append(now)
        self.peak = max(self.peak, len(self._arrived))
        _forget(self._let_through, now)
        if len(self._let_through) >= self._limit:
            self.refused += 1
            return False
        self._let_through.append(now)
        return True


def _forget(times: deque[float], now: float) -> None:
    while times and times[0] <= now - 1.0:
        times.popleft()
