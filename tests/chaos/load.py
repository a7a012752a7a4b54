"""Steady callbacks from the simulator's stories, sent as Vibes does, and a note of every answer."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

import aiohttp

from simulator.company import Company
from simulator.config import DeliveryPolicy
from simulator.delivery import Callback, choose, interleave, shuffle
from simulator.events import Kind
from simulator.malformed import malformed_events
from simulator.scenario.generator import tell
from simulator.scenario.stage import Stage
from simulator.sender import RECEIPT, Pace, Planned, Sender
from simulator.stats import Stats

POLICY = DeliveryPolicy(
    timeout_seconds=4.0,
    retry_delays=(0.3, 0.6, 1.0),
    max_attempts=100_000,
    downed_after=40,
    downed_seconds=0.5,
    concurrency=48,
)
"""As Vibes, but never giving up: whether Vibes does is not what is tested, and all that it sends is to be accounted.
It waits longer than Vibes too, so that a late answer is seen to be late."""

DEADLINE_SECONDS = 2.0
"""Vibes' published ceiling, as the caller measures it."""

_TICK_SECONDS = 0.02

_CHAPTER = 3_000
"""Events of a story; there is another one after it."""
_PERSONS = 300
_LISTS = 4
_DUPLICATES = 0.12
_MALFORMED = 0.02
_SHUFFLE_WINDOW = 400


@dataclass(slots=True)
class Acknowledged:
    """One callback that got a 2xx."""

    receipt: str | None
    body: bytes


@dataclass(slots=True)
class Calls:
    """Every call to the endpoint of one company, as the caller saw it."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    """By status, or `timeout` or `connection`."""
    slowest: float = 0.0
    """Seconds of the slowest answer."""
    late: int = 0
    """Answers after the deadline."""
    worst: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=20))
    """The last of what was late or missing: seconds since the start, and what."""
    began: float = field(default_factory=time.monotonic)
    stalled: int = 0
    """Calls that timed out while the caller itself was held up for so long that it cannot tell whether an answer came
    in time."""

    @property
    def ended(self) -> int:
        """Calls that ended, in whatever way."""
        return self.answers.total() + self.stalled

    @property
    def missing(self) -> int:
        """Calls without an answer."""
        return self.answers["timeout"] + self.answers["connection"]

    def note_answer(self, status: int, receipt: str | None, body: bytes, seconds: float) -> None:
        """Note an answer."""
        self.answers[str(status)] += 1
        self.slowest = max(self.slowest, seconds)
        if seconds > DEADLINE_SECONDS:
            self.late += 1
            self._note_bad(f"{status} after {seconds:.2f} s")
        if 200 <= status < 300:
            self.acknowledged.append(Acknowledged(receipt, body))

    def note_missing(self, error: BaseException, seconds: float) -> None:
        """Note that no answer came, in the seconds that the caller itself was awake."""
        if isinstance(error, TimeoutError) and seconds < DEADLINE_SECONDS:
            self.stalled += 1
            return
        self.answers["timeout" if isinstance(error, TimeoutError) else "connection"] += 1
        self._note_bad(type(error).__name__)

    def _note_bad(self, what: str) -> None:
        self.worst.append((round(time.monotonic() - self.began, 2), what))


class Recorder:
    """Notes the calls of all senders of a simulator, by the path of the URL they go to."""

    def __init__(self) -> None:
        self._by_path: dict[str, Calls] = {}
        self.trace = aiohttp.TraceConfig()
        self.trace.on_request_start.append(self._started)
        self.trace.on_request_headers_sent.append(self._sending)
        self.trace.on_request_chunk_sent.append(self._sent)
        self.trace.on_request_end.append(self._answered)
        self.trace.on_request_exception.append(self._failed)
        self._stalls = Stalls()

    async def watch_clock(self) -> None:
        """Measure, for ever, how long this process is held up: that is no fault of those it calls."""
        await self._stalls.watch()

    def calls_to(self, path: str) -> Calls:
        """Return the calls to this path, from now on."""
        return self._by_path.setdefault(path, Calls())

    async def _started(
        self, _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestStartParams
    ) -> None:
        context.began, context.stalled = time.monotonic(), self._stalls.seconds
        context.tries = 0

    async def _sending(
        self, _: aiohttp.ClientSession, context: SimpleNamespace, sending: aiohttp.TraceRequestHeadersSentParams
    ) -> None:
        context.tries += 1
        context.body = b""
        if context.tries > 1:  # aiohttp repeats a PUT by itself when the connection was closed under it
            self.calls_to(sending.url.path).note_missing(ConnectionResetError("and tried again"), 0.0)

    async def _sent(
        self, _: aiohttp.ClientSession, context: SimpleNamespace, sent: aiohttp.TraceRequestChunkSentParams
    ) -> None:
        context.body += sent.chunk

    async def _answered(
        self, _: aiohttp.ClientSession, context: SimpleNamespace, end: aiohttp.TraceRequestEndParams
    ) -> None:
        seconds = self._awake_since(context)
        receipt = end.response.headers.get(RECEIPT)
        self.calls_to(end.url.path).note_answer(end.response.status, receipt, context.body, seconds)

    async def _failed(
        self, _: aiohttp.ClientSession, context: SimpleNamespace, end: aiohttp.TraceRequestExceptionParams
    ) -> None:
        if not isinstance(end.exception, asyncio.CancelledError):  # ours, when the load is broken off
            self.calls_to(end.url.path).note_missing(end.exception, self._awake_since(context))

    def _awake_since(self, context: SimpleNamespace) -> float:
        return float(time.monotonic() - context.began - (self._stalls.now() - context.stalled))


class Stalls:
    """Measures how long the event loop was held up, in all."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._expected = time.monotonic()

    async def watch(self) -> None:
        """Measure, for ever."""
        while True:
            self._expected = time.monotonic() + _TICK_SECONDS
            await asyncio.sleep(_TICK_SECONDS)
            self.seconds = self.now()

    def now(self) -> float:
        """Return the seconds so far, with those of a stall that is just over."""
        late = time.monotonic() - self._expected
        return self.seconds + (late if late > _TICK_SECONDS else 0.0)


class Load:
    """The callbacks of one company's story, from `begin` until `finish`."""

    def __init__(self, company: Company, session: aiohttp.ClientSession, random: Random, rate: float) -> None:
        self._company = company
        self._random = random
        self._over = False
        self.stats = Stats()
        self._source = Planned(shuffle(random, self._callbacks(), _SHUFFLE_WINDOW))
        self._sender = Sender(session, self._source, POLICY, self.stats, Pace(rate))
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._sender.run(), name="load")

    async def finish(self, timeout: float) -> None:
        """Tell no more, and wait until everything told is acknowledged. TimeoutError if it is not by then."""
        self._over = True
        self._sender.notify()
        if self._task is not None:
            async with asyncio.timeout(timeout):
                await self._task

    async def abandon(self) -> None:
        """Break it off."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _callbacks(self) -> Iterator[Callback]:
        while not self._over:
            yield from self._chapter()

    def _chapter(self) -> Iterator[Callback]:
        """Tell a story with everything that happens in one: bursts of STOP, an archived list, people who change."""
        stage = Stage(self._company.db, Random(self._random.getrandbits(64)), self._company.story_time)
        stage.populate(_PERSONS, _LISTS)
        twice = choose(self._random, _CHAPTER, _DUPLICATES)
        malformed = int(_CHAPTER * _MALFORMED)
        events = interleave(
            self._random,
            (_CHAPTER, tell(stage, _CHAPTER)),
            (malformed, malformed_events(self._random, malformed)),
        )
        for event in events:
            if self._over:
                return
            self._company.story_time = max(self._company.story_time, stage.now)
            for callback in self._company.router.callbacks(event, stage.now):
                callback.wanted_twice = event.kind is Kind.EVENT and next(twice)
                yield callback


def describe(calls: Calls) -> dict[str, Any]:
    """Return what is worth knowing of calls that were late or missing."""
    return {"answers": dict(calls.answers), "late": calls.late, "worst": list(calls.worst)}
