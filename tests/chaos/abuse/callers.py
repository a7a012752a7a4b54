"""The good callers: a process that calls ingest as Vibes does while others abuse it, and measures the answers.

`python -m tests.chaos.abuse.callers URL RECEIPTS_FILE`, told to finish by the end of its standard input.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp

from tests.chaos.abuse.companion import accompany

_LASTING, _FRESH = 8, 4
"""Callers that keep their connection, and such that open one for each call."""
_PAUSE_SECONDS = 0.1
_VIBES_TIMEOUT_SECONDS = 2.0
_MOST_TRIES = 8
_FIRST_RETRY_SECONDS = 0.25
"""Twice as long after each try: Vibes' own pauses are minutes."""


@dataclass
class Experience:
    """What the good callers went through."""

    sent: int = 0
    receipts: list[str] = field(default_factory=list)
    """One a callback that was acknowledged."""
    retried: int = 0
    """Tries that were not answered 202 in time; Vibes would try again too."""
    gave_up: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of the tries that were answered."""

    def figures(self) -> dict[str, Any]:
        cuts = quantiles(self.seconds, n=100) if len(self.seconds) > 1 else [0.0] * 99
        return {
            "sent": self.sent,
            "acknowledged": len(self.receipts),
            "retried": self.retried,
            "gave_up": self.gave_up,
            "p50_ms": round(cuts[49] * 1000, 1),
            "p99_ms": round(cuts[98] * 1000, 1),
            "max_ms": round(max(self.seconds, default=0.0) * 1000, 1),
        }


async def call_well(url: str, receipts_file: Path, finish: asyncio.Event) -> dict[str, Any]:
    """Call until told to finish; return the figures, and write the receipts to the file."""
    experience = Experience()
    numbers = itertools.count()
    lasting = aiohttp.TCPConnector(limit=0, keepalive_timeout=600)
    fresh = aiohttp.TCPConnector(limit=0, force_close=True)
    timeout = aiohttp.ClientTimeout(total=_VIBES_TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(connector=lasting, timeout=timeout) as lasting_session,
        aiohttp.ClientSession(connector=fresh, timeout=timeout) as fresh_session,
    ):
        sessions = [lasting_session] * _LASTING + [fresh_session] * _FRESH
        await asyncio.gather(*(_call_on(session, url, numbers, experience, finish) for session in sessions))
    receipts = "".join(f"{receipt}\n" for receipt in experience.receipts)
    await asyncio.to_thread(receipts_file.write_text, receipts)
    return experience.figures()


async def _call_on(
    session: aiohttp.ClientSession, url: str, numbers: Iterator[int], experience: Experience, finish: asyncio.Event
) -> None:
    while not finish.is_set():
        await _deliver(session, url, _body(next(numbers)), experience)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _deliver(session: aiohttp.ClientSession, url: str, body: bytes, experience: Experience) -> None:
    """Deliver one callback, with as many tries as Vibes may have."""
    loop = asyncio.get_running_loop()
    experience.sent += 1
    for tried in range(_MOST_TRIES):
        started = loop.time()
        try:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                experience.seconds.append(loop.time() - started)
                if response.status == 202:
                    experience.receipts.append(response.headers["X-Receipt-Id"])
                    return
        except (aiohttp.ClientError, TimeoutError):
            experience.seconds.append(loop.time() - started)
        experience.retried += 1
        await asyncio.sleep(_FIRST_RETRY_SECONDS * 2**tried)
    experience.gave_up += 1


def _body(number: int) -> bytes:
    return json.dumps(
        {
            "event_id": f"good-{number}",
            "callback_type": "subscription_added",
            "event_date": "2024-03-01T00:00:00Z",
            "subscription": {
                "person": {"id": f"good-{number % 500}"},
                "subscription_list": {"id": "good"},
                "opt_in_date": f"2024-01-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00Z",
            },
        }
    ).encode()


if __name__ == "__main__":
    accompany(lambda finish: call_well(sys.argv[1], Path(sys.argv[2]), finish))
