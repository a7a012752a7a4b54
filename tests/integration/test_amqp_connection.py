"""Connections to the broker: kept, replaced when they break, and given up when asked to."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import AMQPError, ChannelPreconditionFailed
from structlog.testing import capture_logs

from deploy.local.rabbitmq import LocalRabbitMQ
from runtime import metrics
from runtime.amqp import declare, keep_connected
from schemas.topology import Topology
from tests.support.ingest import eventually
from tests.support.proxy import proxy_to

Session = Callable[[AbstractConnection], Awaitable[None]]


class Visits:
    """Sessions that wait for `stop`; tells how many have begun and how many were cut off."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.connections: asyncio.Queue[AbstractConnection] = asyncio.Queue()
        self.cut_off = 0

    async def __call__(self, connection: AbstractConnection) -> None:
        await self.connections.put(connection)
        try:
            await self.stop.wait()
        except asyncio.CancelledError:
            self.cut_off += 1
            raise

    async def next(self, within: float = 20.0) -> AbstractConnection:
        async with asyncio.timeout(within):
            return await self.connections.get()


@asynccontextmanager
async def kept(
    url: str, session: Session, stop: asyncio.Event, heartbeat: int = 10
) -> AsyncIterator[asyncio.Task[None]]:
    """Run keep_connected, and end it with the block."""
    task = asyncio.create_task(keep_connected(url, "test", session, stop, heartbeat))
    try:
        yield task
    finally:
        stop.set()
        async with asyncio.timeout(3):
            await asyncio.gather(task, return_exceptions=True)


def connected() -> float | None:
    return metrics.REGISTRY.get_sample_value("vibes_broker_connected", {"use": "test"})


async def test_a_session_runs_on_a_connection_until_stop(amqp_url: str) -> None:
    visits = Visits()
    async with kept(amqp_url, visits, visits.stop) as task:
        connection = await visits.next()
        assert (connection.is_closed, connected()) == (False, 1)
        visits.stop.set()
        await task
    assert (connection.is_closed, connected(), visits.cut_off) == (True, 0, 0)


async def test_when_the_broker_closes_the_connection_the_session_is_cut_off_and_runs_on_a_new_one(
    own_rabbitmq: LocalRabbitMQ,
) -> None:
    visits = Visits()
    with capture_logs() as lines:
        async with kept(own_rabbitmq.amqp_url, visits, visits.stop):
            first = await visits.next()
            await asyncio.to_thread(own_rabbitmq.ctl, "close_all_connections", "maintenance")
            second = await visits.next()
            assert visits.cut_off == 1
            assert first is not second
    [broken] = events(lines, "broker.disconnected")
    assert "maintenance" in broken["cause"]


async def test_a_killed_broker_is_found_again(own_rabbitmq: LocalRabbitMQ) -> None:
    visits = Visits()
    with capture_logs() as lines:
        async with kept(own_rabbitmq.amqp_url, visits, visits.stop):
            await visits.next()
            await asyncio.to_thread(own_rabbitmq.kill)
            await asyncio.to_thread(own_rabbitmq.start)
            await visits.next()
    assert own_rabbitmq.amqp_url.split("@")[0] not in str(lines)


async def test_a_broker_that_falls_silent_is_left_after_some_heartbeats(amqp_url: str) -> None:
    visits = Visits()
    async with proxy_to(amqp_url) as proxy, kept(proxy.url, visits, visits.stop, heartbeat=2):
        await visits.next()
        proxy.pause()
        await eventually(lambda: visits.cut_off == 1, "the silent connection is given up")
        proxy.resume()
        await visits.next()


async def test_a_session_may_give_its_connection_up_and_the_wait_grows(amqp_url: str) -> None:
    stop = asyncio.Event()
    starts: list[float] = []

    async def give_up(_connection: AbstractConnection) -> None:
        starts.append(asyncio.get_running_loop().time())
        if len(starts) == 5:
            stop.set()
            return
        raise AMQPError("no use")

    with capture_logs() as lines:
        async with kept(amqp_url, give_up, stop) as task, asyncio.timeout(20):
            await task
    assert [line["retry_seconds"] for line in events(lines, "broker.disconnected")] == [0.1, 0.2, 0.4, 0.8]
    assert starts[-1] - starts[0] >= 0.75


async def test_what_is_no_trouble_of_the_broker_is_not_tried_again(amqp_url: str) -> None:
    async def fail(_connection: AbstractConnection) -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await keep_connected(amqp_url, "test", fail, asyncio.Event())
    assert connected() == 0


async def test_wrong_credentials_are_tried_again_and_named_without_being_shown(amqp_url: str) -> None:
    visits = Visits()
    wrong = amqp_url.replace("@", "wrong@")
    with capture_logs() as lines:
        async with kept(wrong, visits, visits.stop):
            await eventually(lambda: len(events(lines, "broker.disconnected")) >= 2, "it was tried again")
    assert "ACCESS_REFUSED" in events(lines, "broker.disconnected")[0]["detail"]
    assert "wrong@" not in str(lines)


async def test_stop_ends_the_wait_for_a_broker_that_does_not_answer() -> None:
    visits = Visits()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.setblocking(False)
        async with kept(f"amqp://127.0.0.1:{deaf.getsockname()[1]}/", visits, visits.stop) as task:
            call, _ = await asyncio.get_running_loop().sock_accept(deaf)
            with call:
                visits.stop.set()
                async with asyncio.timeout(1):
                    await task


async def test_stop_ends_the_wait_for_a_blocked_connection_to_close(own_rabbitmq: LocalRabbitMQ) -> None:
    visits = Visits()
    async with kept(own_rabbitmq.amqp_url, visits, visits.stop) as task:
        connection = await visits.next()
        channel = await connection.channel()
        await asyncio.to_thread(own_rabbitmq.block_publishers)
        publish = asyncio.create_task(channel.default_exchange.publish(aio_pika.Message(b"x"), "nowhere"))
        await asyncio.wait((publish,), timeout=0.5)
        visits.stop.set()
        async with asyncio.timeout(3):
            await task
        await asyncio.gather(publish, return_exceptions=True)


async def test_the_topology_is_declared_once_and_then_found_as_it_is(amqp_url: str) -> None:
    topology = Topology(prefix="vibes", apply_queues=2)
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await declare(channel, topology)
        await declare(channel, topology)
        for item in topology.queues:
            assert (await channel.get_queue(item.name)).declaration_result.message_count == 0
        await channel.get_exchange(topology.callbacks.name)


async def test_a_topology_that_differs_from_what_is_there_is_an_error_that_names_it(amqp_url: str) -> None:
    topology = Topology()
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(topology.apply_queue(0).name, durable=True)
        with pytest.raises(ChannelPreconditionFailed, match=r"vibes\.apply\.0"):
            await declare(channel, topology)


def events(lines: list[MutableMapping[str, Any]], event: str) -> list[MutableMapping[str, Any]]:
    return [line for line in lines if line["event"] == event]


async def test_who_hangs_up_during_the_handshake_is_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a load balancer does that has no broker behind it."""
    attempts = 0

    async def connect(_url: object) -> AbstractConnection:
        nonlocal attempts
        attempts += 1
        # What aiormq raises when the end of the stream is there before it reads; from outside that cannot be timed.
        raise StopAsyncIteration

    monkeypatch.setattr(aio_pika, "connect", connect)
    visits = Visits()
    async with kept("amqp://guest:guest@127.0.0.1:1/", visits, visits.stop) as keeping:
        await eventually(lambda: attempts >= 3 or keeping.done(), "three attempts")
        assert not keeping.done()
