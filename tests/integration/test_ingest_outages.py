"""Whatever the broker does: every answer is out within the deadline, and every receipt is in the queue."""

import asyncio
import signal

import pytest

from deploy.local.rabbitmq import LocalRabbitMQ
from schemas.broker_message import CallbackMessage
from tests.support.ingest import Ingest, by_receipt, eventually, ingest_process, read_messages
from tests.support.load import Load, load_on
from tests.support.proxy import proxy_to

DEADLINE = 1.5


async def answered(load: Load, status: int, more: int = 20) -> None:
    """Wait until so many more calls were answered that way."""
    wanted = load.statuses[status] + more
    await eventually(lambda: load.statuses[status] >= wanted, f"{more} more answers {status}", within=60)


def reconnects(ingest: Ingest) -> bool:
    return any(line["event"] == "broker.disconnected" for line in ingest.log)


async def assert_nothing_lost(load: Load, ingest: Ingest, amqp_url: str, *taken: CallbackMessage) -> None:
    """End ingest; every receipt is in the queue (or was taken out of it before), and counted."""
    assert ingest.process
    ingest.process.send_signal(signal.SIGTERM)
    assert await ingest.process.wait() == 0
    messages = [*taken, *await read_messages(amqp_url, ingest.topology)]
    assert load.receipts <= set(by_receipt(messages))
    assert max(message.acknowledged for message in messages) == len(load.receipts)
    assert set(load.statuses) <= {202, 503}
    assert load.slowest <= DEADLINE
    assert load.broken == 0


async def test_ingest_starts_without_a_broker_and_finds_it_by_itself(own_rabbitmq: LocalRabbitMQ) -> None:
    await asyncio.to_thread(own_rabbitmq.stop)
    async with ingest_process(own_rabbitmq.amqp_url, wait_ready=False) as ingest:
        answer = await ingest.post()
        assert (answer.status, answer.seconds <= DEADLINE) == (503, True)
        assert not await ingest.ready()

        async def at_once() -> bool:
            answer = await ingest.post()
            return answer.status == 503 and answer.seconds < 0.5

        await eventually(at_once, "a broker long away is not waited for")

        await asyncio.to_thread(own_rabbitmq.start)
        await eventually(ingest.ready, "ingest found the broker")
        assert (await ingest.post()).status == 202


@pytest.mark.long  # `make chaos` does the same to the whole pipeline
@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_broker_that_goes_and_comes_back_under_load_costs_no_receipt(
    own_rabbitmq: LocalRabbitMQ, how: str
) -> None:
    async with ingest_process(own_rabbitmq.amqp_url) as ingest:
        async with load_on(ingest) as load:
            await answered(load, 202, 200)
            await asyncio.to_thread(own_rabbitmq.sync_declarations)
            await asyncio.to_thread(getattr(own_rabbitmq, how))
            await answered(load, 503, 200)
            assert not await ingest.ready()
            await asyncio.to_thread(own_rabbitmq.start)
            await answered(load, 202, 200)
        await assert_nothing_lost(load, ingest, own_rabbitmq.amqp_url)


@pytest.mark.long  # longer than a heartbeat
async def test_a_broker_that_blocks_publishers_is_waited_out(own_rabbitmq: LocalRabbitMQ) -> None:
    async with ingest_process(own_rabbitmq.amqp_url, amqp_heartbeat_seconds=2) as ingest:
        async with load_on(ingest) as load:
            await answered(load, 202, 100)
            await asyncio.to_thread(own_rabbitmq.block_publishers)
            await answered(load, 503, 100)
            assert not await ingest.ready()
            unready = await ingest.call("GET", f"{ingest.admin_url}/readyz")
            assert unready.body == b"broker_blocked\n"
            await asyncio.sleep(3)  # longer than a heartbeat: the connection is kept all the same
            await asyncio.to_thread(own_rabbitmq.unblock_publishers)
            await answered(load, 202, 100)
        await assert_nothing_lost(load, ingest, own_rabbitmq.amqp_url)
    assert len([line for line in ingest.log if line["event"] == "broker.connected"]) == 1


async def test_a_process_started_while_the_broker_blocks_publishers_is_not_ready(own_rabbitmq: LocalRabbitMQ) -> None:
    await asyncio.to_thread(own_rabbitmq.block_publishers)
    async with ingest_process(own_rabbitmq.amqp_url, wait_ready=False) as ingest:
        answer = await ingest.post()
        assert (answer.status, answer.seconds <= DEADLINE) == (503, True)
        assert not await ingest.ready()
        await asyncio.to_thread(own_rabbitmq.unblock_publishers)
        await eventually(ingest.ready, "ingest is ready")
        assert (await ingest.post()).status == 202


async def test_a_broker_that_falls_silent_is_answered_for_in_time_and_found_again(amqp_url: str) -> None:
    async with proxy_to(amqp_url) as proxy, ingest_process(proxy.url, amqp_heartbeat_seconds=2) as ingest:
        async with load_on(ingest) as load:
            await answered(load, 202, 100)
            proxy.pause()
            await answered(load, 503, 100)
            assert (await ingest.call("GET", f"{ingest.admin_url}/readyz")).status == 503
            await eventually(lambda: reconnects(ingest), "ingest gave the silent connection up")
            proxy.resume()
            await answered(load, 202, 100)
        await assert_nothing_lost(load, ingest, amqp_url)


async def test_a_full_queue_is_a_503_until_there_is_room(own_rabbitmq: LocalRabbitMQ) -> None:
    async with ingest_process(own_rabbitmq.amqp_url) as ingest:
        limit = ("set_policy", "full", r"^vibes\.apply\.", '{"max-length": 10}', "--apply-to", "queues")
        await asyncio.to_thread(own_rabbitmq.ctl, *limit)
        async with load_on(ingest, callers=2) as load:
            await answered(load, 503)
            taken = await read_messages(own_rabbitmq.amqp_url, ingest.topology)
            await answered(load, 202, 1)
        await asyncio.to_thread(own_rabbitmq.ctl, "clear_policy", "full")
        taken += await read_messages(own_rabbitmq.amqp_url, ingest.topology)
        await assert_nothing_lost(load, ingest, own_rabbitmq.amqp_url, *taken)


@pytest.mark.long  # until the broker has noticed that a policy is gone
async def test_callbacks_are_taken_again_after_the_limit_of_a_full_queue_was_removed(
    own_rabbitmq: LocalRabbitMQ,
) -> None:
    async with ingest_process(own_rabbitmq.amqp_url) as ingest:
        limit = ("set_policy", "full", r"^vibes\.apply\.", '{"max-length": 10}', "--apply-to", "queues")
        await asyncio.to_thread(own_rabbitmq.ctl, *limit)
        async with load_on(ingest, callers=2) as load:
            await answered(load, 503)
            await asyncio.to_thread(own_rabbitmq.ctl, "clear_policy", "full")
            await answered(load, 202, 100)
        await assert_nothing_lost(load, ingest, own_rabbitmq.amqp_url)


async def test_a_connection_that_breaks_fails_no_request_that_comes_after(
    own_rabbitmq: LocalRabbitMQ,
) -> None:
    async with ingest_process(own_rabbitmq.amqp_url) as ingest:
        await asyncio.to_thread(own_rabbitmq.ctl, "close_all_connections", "test")
        answers = [await ingest.post() for _ in range(5)]
        assert [answer.status for answer in answers] == [202] * 5
        assert len([line for line in ingest.log if line["event"] == "broker.disconnected"]) == 1
