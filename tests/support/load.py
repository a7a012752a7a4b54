"""Calls ingest without a break, and keeps what was answered to each call."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.support.ingest import Answer, Ingest, client, send


@dataclass
class Load:
    """What was answered so far."""

    answers: list[Answer] = field(default_factory=list)
    broken: int = 0
    """Calls without an answer: the connection was refused or reset."""

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answers)

    @property
    def receipts(self) -> set[str]:
        return {answer.receipt for answer in self.answers if answer.status == 202}

    @property
    def slowest(self) -> float:
        return max(answer.seconds for answer in self.answers)


@asynccontextmanager
async def load_on(ingest: Ingest, callers: int = 16) -> AsyncIterator[Load]:
    """Let so many callers call, each one call after the other with a short pause, until the block ends."""
    load = Load()
    ended = asyncio.Event()
    numbers = itertools.count()

    async def call_on() -> None:
        while not ended.is_set():
            body = b'{"event_id": "%d", "callback_type": "person_updated"}' % next(numbers)
            try:
                load.answers.append(await send(session, "POST", ingest.callback_url(), body))
            except (aiohttp.ClientConnectionError, ConnectionError):
                load.broken += 1
            await asyncio.sleep(0.01)

    async with client() as session:
        tasks = [asyncio.create_task(call_on()) for _ in range(callers)]
        try:
            yield load
        finally:
            ended.set()
            await asyncio.gather(*tasks)
