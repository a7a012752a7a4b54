"""What a pipeline keeps up with: callbacks a second from the first request until the last of them is applied.

The client is held to a window: as many callbacks as are applied, and the pipeline's backlog more. So the queue stays
short for as long as it is measured, and ingest and apply share the machine in the proportion that makes them equally
fast; nobody has to guess a rate. The short end, when only what is under way is left to apply, is in the time.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from benchmarks.end_to_end.client import Client
from benchmarks.end_to_end.events import Events
from benchmarks.end_to_end.pipelines import Pipeline
from deploy.local.errors import ServiceError

_LOOK_SECONDS = 0.05
_LAST_LOOKS_SECONDS = 0.01
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Round:
    """What was measured."""

    callbacks: int
    events: int
    seconds: float

    @property
    def rate(self) -> float:
        """Callbacks a second."""
        return self.callbacks / self.seconds


async def run(pipeline: Pipeline, bodies: Sequence[bytes], seconds: float) -> Round:
    """Send for so long, or until there are no more bodies, and wait until all is applied. Raises ServiceError."""
    events = Events(bodies)
    client = Client(pipeline.url, bodies)
    database = await asyncpg.connect(pipeline.database_url)
    try:
        before = await database.fetchval(pipeline.applied)
        await client.open()
        began = time.perf_counter()
        while time.perf_counter() - began < seconds and client.sent < len(bodies):
            applied = await database.fetchval(pipeline.applied) - before
            client.allow(events.callbacks(applied) + pipeline.backlog)
            await asyncio.sleep(_LOOK_SECONDS)
        await client.finish()
        wanted = events.among(client.sent)
        deadline = time.perf_counter() + _PATIENCE_SECONDS
        while (applied := await database.fetchval(pipeline.applied) - before) < wanted:
            pipeline.check()
            if time.perf_counter() > deadline:
                raise ServiceError(f"{pipeline.name}: {applied} of {wanted} events applied {_PATIENCE_SECONDS:g} s on")
            await asyncio.sleep(_LAST_LOOKS_SECONDS)
        return Round(client.sent, wanted, time.perf_counter() - began)
    finally:
        await database.close()
