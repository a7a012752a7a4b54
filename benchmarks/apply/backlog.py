"""A backlog of callbacks in the queues of a stack, and whether all of it arrived."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from benchmarks.queued import fill, remove
from deploy.local.errors import ServiceError
from deploy.local.stack import Stack
from schemas.topology import Topology

COMPANY = "bench"
GROUP = 32
"""Callbacks a broker message. Ingest puts into one what waits while its other publishes are under way, so the more
connections Vibes calls by, the more: with 64 of them about 16, with 256 about 64."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is in some bodies, told from them alone."""

    callbacks: int
    events: int
    """Different ones: the other callbacks are duplicates."""


def count(bodies: Sequence[bytes]) -> Expected:
    """Count the callbacks and the different events: an id is unique within its type."""
    keys = set()
    for body in bodies:
        event = orjson.loads(body)
        keys.add((event.get("callback_type") or event["event_type"], event["event_id"]))
    return Expected(len(bodies), len(keys))


def queue(stack: Stack, bodies: Sequence[bytes], *, group: int = GROUP) -> None:
    """Fill the stack's queues. Raises ServiceError when the broker does not take it."""
    asyncio.run(fill(stack.environment["AMQP_URL"], topology_of(stack), COMPANY, bodies, group=group))


def topology_of(stack: Stack) -> Topology:
    """Return what the stack has in the broker."""
    queues = int(stack.environment.get("VIBES_PIPELINE_APPLY_QUEUES", "1"))
    return Topology(prefix=stack.environment["VIBES_PIPELINE_QUEUE_PREFIX"], apply_queues=queues)


def clear(stack: Stack) -> None:
    """Delete the stack's queues: the persons to be read from Vibes wait there, and nobody is to read them."""
    asyncio.run(remove(stack.environment["AMQP_URL"], topology_of(stack)))


def check(stack: Stack, expected: Expected) -> None:
    """Audit a stack that has dealt with just these callbacks. Raises ServiceError when one is lost or counted twice."""
    audit = json.loads(stack.command("audit", "--json", check=False) or "null")
    if audit is None:
        raise ServiceError("the audit reached no finding: run `vibes-pipeline audit` with the stack's environment")
    wanted: dict[str, Any] = {
        "company_key": COMPANY,
        "acknowledged": expected.callbacks,
        "applied": expected.events,
        "duplicates": expected.callbacks - expected.events,
        "quarantined": 0,
        "dead_lettered": 0,
        "missing": 0,
        "unreported": 0,
    }
    found, left = audit["accounts"], audit["waiting_messages"]
    if found != [wanted] or left:
        raise ServiceError(f"the audit finds {found}, and {left} messages that wait; it should find {wanted}")
    logged = asyncio.run(_count_events(stack.database_url))
    if logged != expected.events:
        raise ServiceError(f"the event log holds {logged} events, not {expected.events}: some are lost or there twice")


async def _count_events(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM callback_events"))
    finally:
        await connection.close()
