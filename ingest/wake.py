"""Wakes one of several tasks that wait for work."""

import asyncio
from collections import deque


class Wake:
    """Like an asyncio.Event that is for one of its waiters only: the others need not find out that nothing is left."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._one_is_on_its_way = False

    async def wait(self) -> None:
        """Return when there may be work."""
        waiting = self._loop.create_future()
        self._waiting.append(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if not waiting.cancelled():  # it was woken at the same moment, which is for another one then
                self._one_is_on_its_way = False
                self.wake_one()
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
            raise
        self._one_is_on_its_way = False

    def wake_one(self) -> None:
        """Wake a waiter, unless one was woken that has not looked yet. Without one it has no effect."""
        while self._waiting and not self._one_is_on_its_way:
            waiting = self._waiting.popleft()
            if not waiting.done():  # one that was cancelled may not have left yet
                self._one_is_on_its_way = True
                waiting.set_result(None)
