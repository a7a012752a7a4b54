"""Lets the event loop see to callbacks while a large request of the CRM's is worked on."""

import asyncio
from time import perf_counter
from types import TracebackType

_WORK_SECONDS = 0.001
_REST_SECONDS = 0.002
"""A callback needs the event loop a dozen times until it is answered. Were the rest one round of the loop, work would
come in between each time (measured: callbacks took 50 ms instead of 15)."""


class Turns:
    """All CRM requests of a process together work for a millisecond, then rest for two, and so on.

    Use a turn with `async with` around the work, and `await turn.pause()` often within it.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    def turn(self) -> "Turn":
        """Return the turns of one more request."""
        return Turn(self._lock)


class Turn:
    """The turns of one request. Requests come in turn: one record need not wait for 10,000 others."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._has_lock = False
        self._began = 0.0

    async def pause(self) -> None:
        """Let callbacks, and then other requests, have their go if this turn is over."""
        # Not the event loop's time: uvloop's stands still for as long as nothing is awaited.
        if perf_counter() - self._began >= _WORK_SECONDS:
            await asyncio.sleep(_REST_SECONDS)
            self._end()
            await self._begin()

    async def __aenter__(self) -> "Turn":
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    async def _begin(self) -> None:
        await self._lock.acquire()
        self._has_lock = True
        self._began = perf_counter()

    def _end(self) -> None:
        # A request that is cancelled while it waits for its next turn has nothing to give back.
        if self._has_lock:
            self._has_lock = False
            self._lock.release()
