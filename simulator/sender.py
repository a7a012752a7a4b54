"""Delivers callbacks as Vibes does: at least once, a few tries, never again after a 4xx."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import inf
from sys import intern
from typing import Final, Protocol

import aiohttp

from simulator.config import DeliveryPolicy
from simulator.delivery import Callback
from simulator.events import Kind
from simulator.ledger import State
from simulator.stats import Stats

RECEIPT: Final = "X-Receipt-Id"
"""The header in which a receiver may hand out a receipt with its 2xx."""

_MOST_WAITING: Final = 2_000  # retries at once; no fresh callback is begun beyond, so memory stays bounded


class Source(Protocol):
    """Where fresh callbacks come from."""

    @property
    def exhausted(self) -> bool:
        """Whether there will never be another one."""

    def take(self) -> Callback | None:
        """Return the next callback, or None if there is none at the moment."""


class Planned:
    """The callbacks of an iterator, as a source."""

    def __init__(self, callbacks: Iterator[Callback]) -> None:
        self._callbacks = callbacks
        self.exhausted = False

    def take(self) -> Callback | None:
        """Return the next one; None means that that was all."""
        callback = next(self._callbacks, None)
        self.exhausted = callback is None
        return callback


class Mailbox:
    """Callbacks that come up one by one, until it is closed; a source."""

    def __init__(self) -> None:
        self._callbacks: deque[Callback] = deque()
        self._closed = False

    @property
    def exhausted(self) -> bool:
        """Whether it is closed and empty."""
        return self._closed and not self._callbacks

    def put(self, callback: Callback) -> None:
        """Have a callback sent; the sender must be notified."""
        self._callbacks.append(callback)

    def close(self) -> None:
        """There will be no more."""
        self._closed = True

    def take(self) -> Callback | None:
        """Return the oldest one."""
        return self._callbacks.popleft() if self._callbacks else None


class Pace:
    """When fresh callbacks may go: `rate` a second, together in bursts of `burst`; None is as fast as possible."""

    def __init__(self, rate: float | None = None, burst: int = 1) -> None:
        self._rate = rate
        self._burst = burst
        self._begun: float | None = None
        self._taken = 0

    def next_slot(self, now: float) -> float:
        """Return the time of the next callback's slot, on the clock of `now`."""
        if self._begun is None:
            self._begun = now
        if self._rate is None:
            return now
        return self._begun + self._taken // self._burst * self._burst / self._rate

    def take(self) -> None:
        """Use up the slot."""
        self._taken += 1


@dataclass(slots=True)
class _Health:
    """How a destination has been answering. While it is "downed" nothing is sent to it."""

    failures_in_a_row: int = 0
    downed_until: float = 0.0


class Sender:
    """Sends the callbacks of one source with a bounded number of connections.

    One worker at a time decides what goes next (a retry that is due, else a fresh callback), waiting for it if need
    be; the others queue for that turn or are sending.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        source: Source,
        policy: DeliveryPolicy,
        stats: Stats,
        pace: Pace | None = None,
    ) -> None:
        self._session = session
        self._source = source
        self._policy = policy
        self._stats = stats
        self._pace = pace or Pace()
        self._timeout = aiohttp.ClientTimeout(total=policy.timeout_seconds)
        self._clock = asyncio.get_running_loop().time
        self._waiting: list[tuple[float, int, Callback]] = []
        self._order = count()
        self._health: defaultdict[str, _Health] = defaultdict(_Health)
        self._sending = 0
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Send until the source is exhausted and every delivery has ended."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._policy.concurrency):
                workers.create_task(self._work())

    def notify(self) -> None:
        """Take note that the source has changed."""
        self._changed.set()

    async def _work(self) -> None:
        while True:
            async with self._turn:
                callback = await self._next()
            if callback is None:
                return
            try:
                await self._attempt(callback)
            finally:
                self._sending -= 1
                if not self._sending:
                    self._changed.set()

    async def _next(self) -> Callback | None:
        while True:
            now = self._clock()
            slot = inf
            due = self._waiting[0][0] if self._waiting else inf
            if due <= now:
                callback: Callback | None = heappop(self._waiting)[2]
            else:
                callback, slot = self._fresh(now)
            if callback is not None:
                downed_until = self._health[callback.destination.url].downed_until
                if downed_until <= now:
                    self._sending += 1
                    return callback
                self._wait_until(downed_until, callback)
            elif self._source.exhausted and not self._waiting and not self._sending:
                return None
            else:
                await self._sleep(min(due, slot) - now)

    def _fresh(self, now: float) -> tuple[Callback | None, float]:
        """Return a fresh callback if one may go now, and the time when to look again (infinite: on a change)."""
        if self._source.exhausted or len(self._waiting) >= _MOST_WAITING:
            return None, inf
        slot = self._pace.next_slot(now)
        if slot > now:
            return None, slot
        callback = self._source.take()
        if callback is not None:
            self._pace.take()
        return callback, inf

    async def _sleep(self, seconds: float) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(None if seconds == inf else seconds):
                await self._changed.wait()
        except TimeoutError:
            return  # what was waited for is due

    def _wait_until(self, due: float, callback: Callback) -> None:
        heappush(self._waiting, (due, next(self._order), callback))
        self._changed.set()

    async def _attempt(self, callback: Callback) -> None:
        body = callback.body()
        callback.entry.note_sent(body)
        self._count(callback)
        begun = self._clock()
        status, receipt, answer = await self._request(callback, body)
        self._stats.latencies.add(self._clock() - begun)
        self._stats.answers[answer] += 1
        callback.entry.last_answer = answer
        if status is not None and 200 <= status < 300:
            self._health[callback.destination.url].failures_in_a_row = 0
            self._stats.acknowledged += 1
            callback.entry.note_acknowledged(receipt)
        elif status is not None and 400 <= status < 500:
            self._health[callback.destination.url].failures_in_a_row = 0
            self._stats.lost += 1
            callback.entry.note_lost(State.LOST_4XX)
        else:
            self._failed(callback)

    async def _request(self, callback: Callback, body: bytes) -> tuple[int | None, str | None, str]:
        """One HTTP request: its status or None, its receipt, and the status or the failure in a word."""
        destination = callback.destination
        try:
            async with self._session.request(
                destination.method,
                destination.url,
                data=body,
                headers={"Content-Type": destination.content_type},
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                await response.read()
                return response.status, response.headers.get(RECEIPT), intern(str(response.status))
        except TimeoutError:
            return None, None, "timeout"
        except (aiohttp.ClientError, OSError):
            return None, None, "connection"

    def _failed(self, callback: Callback) -> None:
        now = self._clock()
        self._note_failure(callback.destination.url, now)
        if callback.attempt >= self._policy.max_attempts:
            self._stats.gave_up += 1
            callback.entry.note_lost(State.GAVE_UP)
            return
        delay = self._policy.delay_after(callback.attempt)
        callback.attempt += 1
        self._wait_until(now + delay, callback)

    def _note_failure(self, url: str, now: float) -> None:
        health = self._health[url]
        health.failures_in_a_row += 1
        if health.failures_in_a_row >= self._policy.downed_after and health.downed_until <= now:
            health.failures_in_a_row = 0
            health.downed_until = now + self._policy.downed_seconds
            self._stats.times_downed += 1

    def _count(self, callback: Callback) -> None:
        if callback.attempt > 1:
            self._stats.retried += 1
            return
        self._stats.sent += 1
        self._stats.duplicates += callback.duplicate
        self._stats.malformed += callback.event.kind is Kind.MALFORMED
