"""What the sessions on a broker connection that publish have in common."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from aio_pika.abc import AbstractConnection

from ingest.broker_health import BrokerHealth

log = structlog.get_logger()

_PROBE_SECONDS = 0.25


async def until_first_ends(health: BrokerHealth, *work: Coroutine[Any, Any, object]) -> None:
    """Run the parts of a session until the first ends, then cancel the rest. Raises what the first raised.

    `health` is told that the connection is of no more use before the rest is cancelled: nobody may think meanwhile
    that it is fine because nothing is under way on it.
    """
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        health.disconnected(asyncio.get_running_loop().time())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def watch_blocked(
    connection: AbstractConnection, use: str, health: BrokerHealth, unblocked: asyncio.Event
) -> None:
    """Keep `unblocked` clear, and `health` told, while the broker does not read what the connection publishes.

    aio-pika tells nobody that the broker blocked a connection, but `ready` does not return then. `use` is the
    connection's name in the log.
    """
    if connection.transport is None:
        raise ConnectionError("the broker connection closed")
    loop = asyncio.get_running_loop()
    ready = connection.transport.connection.ready
    while True:
        await asyncio.sleep(_PROBE_SECONDS)
        try:
            async with asyncio.timeout(0):  # returns at once, or not before it is unblocked
                await ready()
        except TimeoutError:
            log.warning("broker.blocked", use=use)
            unblocked.clear()
            health.blocked(loop.time())
            await ready()
            log.info("broker.unblocked", use=use)
            health.unblocked()
            unblocked.set()
