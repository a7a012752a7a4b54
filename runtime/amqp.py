"""Connections to RabbitMQ.

A connection is used until it breaks and then replaced by a new one (`keep_connected`). The reconnecting connection of
aio-pika is not used: it hides the moment of the break, and after a break deliveries can no longer be acked, which a
consumer has to know (docs/decisions/0003-broker-connections.md).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import aio_pika
import aiormq.abc
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPError, ChannelAccessRefused, ChannelInvalidStateError, ChannelNotFoundEntity
from yarl import URL

from runtime import metrics
from runtime.broker_trouble import broker_remedy
from runtime.lifecycle import wait_or_stop
from runtime.tls import describe_refusal
from schemas.topology import Topology

log = structlog.get_logger()

BROKER_ERRORS = (
    AMQPError,
    ChannelInvalidStateError,
    OSError,
    TimeoutError,
    asyncio.InvalidStateError,
    StopAsyncIteration,  # of aiormq, when the other end closes at once: a load balancer without a broker
)
"""What aio-pika raises when the broker is not there, goes away, or does not take a publish."""

_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
_BACKOFF_SECONDS = (0.1, 5.0)

Session = Callable[[AbstractConnection], Awaitable[None]]


async def keep_connected(
    url: str,
    use: str,
    session: Session,
    stop: asyncio.Event,
    heartbeat_seconds: int = 10,
) -> None:
    """Until `stop`: connect and run `session(connection)`; when the connection breaks, do it again.

    `session` is cancelled when the connection breaks. It returns when it has seen `stop`, and may raise BROKER_ERRORS
    at any time to be run again on a new connection; anything else it raises ends `keep_connected` too. Between
    attempts the wait grows from 0.1 to 5 seconds, with jitter, and starts anew after a session that lasted longer than
    that. `use` (`publish`, `consume`) names the connection in logs, metrics and the broker's list.
    """
    loop = asyncio.get_running_loop()
    metrics.BROKER_CONNECTED.labels(use).set(0)
    delay = _BACKOFF_SECONDS[0]
    while not stop.is_set():
        began = loop.time()
        try:
            connection = await _connect(url, use, heartbeat_seconds, stop)
            if connection is None:
                return
            await _run(connection, use, session)
        except BROKER_ERRORS as error:
            if loop.time() - began > _BACKOFF_SECONDS[1] + _CONNECT_SECONDS:
                delay = _BACKOFF_SECONDS[0]
            log.warning("broker.disconnected", use=use, retry_seconds=round(delay, 2), **describe(error))
            await wait_or_stop(stop, delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            delay = min(delay * 2, _BACKOFF_SECONDS[1])


def describe(error: BaseException) -> dict[str, str]:
    """Return an error of the broker, what caused it and what to do, as fields for a log line; no body of a message."""
    if refusal := describe_refusal(error):
        return {"error": type(error).__name__, "detail": refusal}
    fields = {"error": type(error).__name__, "detail": str(error)[:300]}
    if error.__cause__ is not None:
        fields["cause"] = f"{type(error.__cause__).__name__}: {error.__cause__}"[:300]
    if remedy := broker_remedy(error):
        fields["remedy"] = remedy
    return fields


async def _connect(url: str, use: str, heartbeat_seconds: int, stop: asyncio.Event) -> AbstractConnection | None:
    """Return a connection, or None when `stop` came first: a broker that never answers must not hold up the end."""
    target = URL(url).update_query(heartbeat=heartbeat_seconds, name=f"vibes-pipeline {use}")
    connecting = asyncio.ensure_future(aio_pika.connect(target))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((connecting, stopping), timeout=_CONNECT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if connecting.done():
            return connecting.result()
        if stopping.done():
            return None
        raise TimeoutError(f"the broker did not answer within {_CONNECT_SECONDS:g} seconds")
    finally:
        stopping.cancel()
        connecting.cancel()
        await asyncio.gather(stopping, connecting, return_exceptions=True)


async def _run(connection: AbstractConnection, use: str, session: Session) -> None:
    log.info("broker.connected", use=use)
    metrics.BROKER_CONNECTED.labels(use).set(1)
    try:
        await _run_until_closed(connection, session)
    finally:
        metrics.BROKER_CONNECTED.labels(use).set(0)
        await _close(connection)


async def _run_until_closed(connection: AbstractConnection, session: Session) -> None:
    """Run the session; when the connection closes first, cancel it and raise ConnectionError."""
    # Not `connection.closed()`: aio-pika resolves that only when close() is called on this side.
    closed = asyncio.get_running_loop().create_future()

    def on_close(_connection: object, error: BaseException | None) -> None:
        if not closed.done():
            closed.set_result(error)

    connection.close_callbacks.add(on_close)
    running = asyncio.ensure_future(session(connection))
    try:
        await asyncio.wait((running, closed), return_when=asyncio.FIRST_COMPLETED)
        if running.done() and not _is_broken(connection):
            return running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    # What the session raised meanwhile is a consequence of the break, whatever its type.
    raise ConnectionError("the broker connection closed") from (closed.result() if closed.done() else None)


def _is_broken(connection: AbstractConnection) -> bool:
    return connection.transport is None or connection.transport.connection.is_closed


async def _close(connection: AbstractConnection) -> None:
    """Close politely, but for a second at most: a blocked or half-open connection never answers."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await connection.close()
    except BROKER_ERRORS as error:
        log.debug("broker.close_failed", **describe(error))


async def declare(channel: AbstractChannel, topology: Topology) -> None:
    """See that every exchange, queue and binding is there: declare them, which does nothing where they exist alike.

    A user who may not configure them only looks whether they are there; somebody else has declared them
    (`vibes-pipeline declare`). Raises BROKER_ERRORS: when one is of another kind, or is missing and may not be made.
    """
    # On channels of their own: the broker closes one on which it has refused something. After any other error the
    # connection is of no more use, so nothing is closed then: that could take as long as the broker is silent.
    broker = (await channel.get_underlay_channel()).connection
    try:
        trial = await broker.channel()
        await _declare_all(trial, topology)
    except ChannelAccessRefused:
        trial = await broker.channel()
        await _look_at_all(trial, topology)
    await trial.close()


async def _declare_all(channel: aiormq.abc.AbstractChannel, topology: Topology) -> None:
    for exchange in topology.exchanges:
        await channel.exchange_declare(exchange.name, exchange_type=exchange.type, durable=True)
    for queue in topology.queues:
        await channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
        for source, routing_key in queue.bindings:
            await channel.queue_bind(queue.name, source.name, routing_key)


async def _look_at_all(channel: aiormq.abc.AbstractChannel, topology: Topology) -> None:
    try:
        for exchange in topology.exchanges:
            await channel.exchange_declare(exchange.name, exchange_type=exchange.type, passive=True)
        for queue in topology.queues:
            await channel.queue_declare(queue.name, passive=True)
    except ChannelNotFoundEntity as error:
        raise ConnectionError(
            f"{error}, and the user of AMQP_URL may not make it; run `vibes-pipeline declare` with one who may"
        ) from error
