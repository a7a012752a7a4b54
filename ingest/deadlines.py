"""Ends the wait of requests at their deadlines, with one timer for all of them.

A timer for each request costs 3 us, of the 60 a request costs in all (docs/performance.md, "Ingest").
"""

import asyncio
from collections import deque
from collections.abc import Callable

from ingest.groups import Waiting


class Deadlines:
    """Calls `expire(waiting)` for what has no answer at its deadline."""

    def __init__(self, loop: asyncio.AbstractEventLoop, expire: Callable[[Waiting], None]) -> None:
        self._loop = loop
        self._expire = expire
        self._watched: deque[Waiting] = deque()
        """Earliest deadline first."""
        self._latest = 0.0
        """The latest deadline since the timer was set, or its own."""
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, waiting: Waiting) -> None:
        """Expire this callback at its deadline, unless it has been answered by then."""
        if self._timer is not None and waiting.deadline < self._latest:
            # Its body came slowly, so that others overtook it.
            self._loop.call_at(waiting.deadline, self._end, waiting)
            return
        self._watched.append(waiting)
        self._latest = waiting.deadline
        if self._timer is None:
            self._timer = self._loop.call_at(waiting.deadline, self._fire)

    def forget_answered(self) -> None:
        """Let go of the oldest callbacks that have been answered."""
        while self._watched and self._watched[0].answer.done():
            self._watched.popleft()

    def _fire(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._watched and (self._watched[0].deadline <= now or self._watched[0].answer.done()):
            self._end(self._watched.popleft())
        if self._watched:  # the last one's deadline is the latest
            self._timer = self._loop.call_at(self._watched[0].deadline, self._fire)

    def _end(self, waiting: Waiting) -> None:
        if not waiting.answer.done():
            self._expire(waiting)
