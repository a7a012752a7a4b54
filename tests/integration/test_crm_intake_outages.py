"""Whatever the broker does, and when the process ends: what the CRM was told is accepted is in the queue."""

import asyncio
import itertools
import signal
from collections import Counter

import aio_pika
import pytest

from deploy.local.rabbitmq import LocalRabbitMQ
from tests.support.crm_intake import CRM_COMPANIES, TOKEN, post_changes, read_changes, told
from tests.support.ingest import Ingest, eventually, ingest_here, ingest_process
from tests.support.proxy import proxy_to

PERSON = {"external_person_id": "a"}


async def is_taken(ingest: Ingest) -> bool:
    return (await post_changes(ingest, PERSON)).status == 202


async def is_not_ready(ingest: Ingest) -> bool:
    return not await ingest.ready()


async def begin(ingest: Ingest, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin a request with a body of that length, and wait until it is asked for the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
    head = f"POST /crm/persons HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n"
    writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    return reader, writer


class TestBroker:
    @pytest.mark.long  # until a broker has gone and come back
    async def test_without_a_broker_the_crm_is_told_to_send_again_until_there_is_one(
        self, own_rabbitmq: LocalRabbitMQ
    ) -> None:
        await asyncio.to_thread(own_rabbitmq.stop)
        async with ingest_process(
            own_rabbitmq.amqp_url, wait_ready=False, companies=CRM_COMPANIES, amqp_heartbeat_seconds=2
        ) as ingest:
            answer = await post_changes(ingest, PERSON)
            assert (answer.status, told(answer)["error"]["reason"]) == (503, "broker_not_connected")
            assert "does no harm" in told(answer)["error"]["detail"]
            assert answer.headers["Retry-After"] == "5"
            assert (await post_changes(ingest, PERSON)).seconds < 0.5, "a broker long away is not waited for"
            await asyncio.to_thread(own_rabbitmq.start)
            await eventually(lambda: is_taken(ingest), "changes are taken again", within=30)

    @pytest.mark.long  # until a broker has gone and come back
    async def test_a_broker_that_is_killed_under_load_costs_no_accepted_change(
        self, own_rabbitmq: LocalRabbitMQ
    ) -> None:
        accepted: list[str] = []
        statuses: Counter[int] = Counter()
        numbers = itertools.count()
        ended = asyncio.Event()

        async def send_on(ingest: Ingest) -> None:
            while not ended.is_set():
                ids = [f"p{next(numbers)}" for _ in range(600)]
                answer = await post_changes(ingest, [{"external_person_id": item} for item in ids])
                statuses[answer.status] += 1
                if answer.status == 202:
                    accepted.extend(ids)

        async def answered(status: int) -> None:
            wanted = statuses[status] + 10
            await eventually(lambda: statuses[status] >= wanted, f"more answers {status}", within=60)

        async with ingest_process(own_rabbitmq.amqp_url, companies=CRM_COMPANIES, amqp_heartbeat_seconds=2) as ingest:
            senders = [asyncio.create_task(send_on(ingest)) for _ in range(4)]
            await answered(202)
            await asyncio.to_thread(own_rabbitmq.sync_declarations)
            await asyncio.to_thread(own_rabbitmq.kill)
            await answered(503)
            await asyncio.to_thread(own_rabbitmq.start)
            await answered(202)
            ended.set()
            await asyncio.gather(*senders)
            stored = [change.external_person_id for change in await read_changes(own_rabbitmq.amqp_url, ingest)]
        assert set(accepted) <= set(stored)
        assert set(statuses) == {202, 503}

    async def test_a_broker_that_blocks_publishers_is_told_of_and_waited_out(self, own_rabbitmq: LocalRabbitMQ) -> None:
        async with ingest_process(own_rabbitmq.amqp_url, companies=CRM_COMPANIES, amqp_heartbeat_seconds=2) as ingest:
            assert await is_taken(ingest)
            await asyncio.to_thread(own_rabbitmq.block_publishers)

            async def is_blocked() -> bool:
                answer = await post_changes(ingest, PERSON)
                return answer.status == 503 and told(answer)["error"]["reason"] == "broker_blocked"

            await eventually(is_blocked, "the CRM is told")
            await asyncio.to_thread(own_rabbitmq.unblock_publishers)
            await eventually(lambda: is_taken(ingest), "changes are taken again")
        connected = [line for line in ingest.log if line["event"] == "broker.connected" and line["use"] == "crm"]
        assert len(connected) == 1

    async def test_a_process_started_while_the_broker_blocks_publishers_says_so(
        self, own_rabbitmq: LocalRabbitMQ
    ) -> None:
        await asyncio.to_thread(own_rabbitmq.block_publishers)
        async with ingest_process(
            own_rabbitmq.amqp_url, wait_ready=False, companies=CRM_COMPANIES, amqp_heartbeat_seconds=2
        ) as ingest:
            answer = await post_changes(ingest, PERSON)
            assert (answer.status, told(answer)["error"]["reason"]) == (503, "broker_blocked")
            await asyncio.to_thread(own_rabbitmq.unblock_publishers)
            await eventually(lambda: is_taken(ingest), "changes are taken")

    async def test_a_full_queue_is_told_of_until_there_is_room(self, own_rabbitmq: LocalRabbitMQ) -> None:
        limit = ("set_policy", "full", r"^vibes\.crm$", '{"max-length": 5}', "--apply-to", "queues")
        async with ingest_here(own_rabbitmq.amqp_url, companies=CRM_COMPANIES) as ingest:
            await asyncio.to_thread(own_rabbitmq.ctl, *limit)

            async def is_refused() -> bool:
                answer = await post_changes(ingest, PERSON)
                return answer.status == 503 and told(answer)["error"]["reason"] == "broker_nacked"

            await eventually(is_refused, "the queue is full")
            assert (await ingest.post()).status == 202, "callbacks have queues of their own"
            await read_changes(own_rabbitmq.amqp_url, ingest)
            await eventually(lambda: is_taken(ingest), "there is room")
            await asyncio.to_thread(own_rabbitmq.ctl, "clear_policy", "full")

    async def test_a_broker_that_falls_silent_is_answered_for_in_time_and_found_again(self, amqp_url: str) -> None:
        async with (
            proxy_to(amqp_url) as proxy,
            ingest_process(proxy.url, companies=CRM_COMPANIES, amqp_heartbeat_seconds=2) as ingest,
        ):
            assert await is_taken(ingest)
            proxy.pause()
            answer = await post_changes(ingest, PERSON)
            assert (answer.status, answer.seconds < 5) == (503, True)
            proxy.resume()
            await eventually(lambda: is_taken(ingest), "changes are taken again")

    @pytest.mark.parametrize("victim", ["queue", "exchange"])
    async def test_a_deleted_queue_or_exchange_is_made_again(self, amqp_url: str, victim: str) -> None:
        async with ingest_here(amqp_url, companies=CRM_COMPANIES, amqp_heartbeat_seconds=2) as ingest:
            assert await is_taken(ingest)
            connection = await aio_pika.connect(amqp_url)
            async with connection:
                channel = await connection.channel()
                if victim == "queue":
                    await channel.queue_delete(ingest.topology.crm_changes.name)
                else:
                    await channel.exchange_delete(ingest.topology.crm.name)
            assert (await post_changes(ingest, PERSON)).status == 503
            await eventually(lambda: is_taken(ingest), "changes are taken again")
            assert [change.external_person_id for change in await read_changes(amqp_url, ingest)][-1] == "a"


class TestDeadline:
    async def test_a_body_that_does_not_come_is_not_waited_for_longer_than_the_deadline(self, amqp_url: str) -> None:
        async with ingest_here(amqp_url, companies=CRM_COMPANIES, ingest_crm_deadline_seconds=1) as ingest:
            started = asyncio.get_running_loop().time()
            reader, writer = await begin(ingest, 100)
            writer.write(b"[")
            answer = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            assert answer.startswith(b"HTTP/1.1 503")
            assert asyncio.get_running_loop().time() - started < 1

    async def test_a_broker_that_does_not_confirm_is_not_waited_for_longer_either(self, amqp_url: str) -> None:
        async with (
            proxy_to(amqp_url) as proxy,
            ingest_process(proxy.url, companies=CRM_COMPANIES, ingest_crm_deadline_seconds=1) as ingest,
        ):
            assert await is_taken(ingest)
            proxy.pause()
            answer = await post_changes(ingest, PERSON)
            assert (answer.status, told(answer)["error"]["reason"]) == (503, "deadline")
            assert answer.seconds < 1
            proxy.resume()


class TestDrain:
    async def test_a_request_under_way_is_answered_and_nothing_new_is_taken(self, amqp_url: str) -> None:
        body = b'[{"external_person_id": "under way"}]'
        async with ingest_process(amqp_url, companies=CRM_COMPANIES) as ingest:
            assert ingest.process
            reader, writer = await begin(ingest, len(body))
            writer.write(body[:5])
            ingest.process.send_signal(signal.SIGTERM)
            await eventually(lambda: is_not_ready(ingest), "ingest is draining")
            writer.write(body[5:])
            answer = await reader.read()
            writer.close()
            async with asyncio.timeout(10):
                assert await ingest.process.wait() == 0
        assert answer.startswith(b"HTTP/1.1 202")
        assert b"Connection: close" in answer
        assert [change.external_person_id for change in await read_changes(amqp_url, ingest)] == ["under way"]

    async def test_a_request_that_would_last_longer_is_told_to_come_again(self, amqp_url: str) -> None:
        async with ingest_process(amqp_url, companies=CRM_COMPANIES, drain_seconds=2) as ingest:
            assert ingest.process
            reader, writer = await begin(ingest, 100)
            ingest.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(3):
                answer = await reader.read()
                assert await ingest.process.wait() == 0
            writer.close()
        assert answer.startswith(b"HTTP/1.1 503")
        assert b'"reason":"draining"' in answer

    async def test_a_request_on_an_open_connection_is_told_to_come_again(self, amqp_url: str) -> None:
        async with ingest_process(amqp_url, companies=CRM_COMPANIES) as ingest:
            assert ingest.process
            slow_reader, slow_writer = await begin(ingest, 2)  # keeps the drain from its end
            reader, writer = await begin(ingest, 2)
            writer.write(b"[]")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 202")
            await reader.readexactly(len(b'{"accepted":0,"refused":0,"results":[]}'))
            ingest.process.send_signal(signal.SIGTERM)
            await eventually(lambda: is_not_ready(ingest), "ingest is draining")
            head = (
                f"POST /crm/persons HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 2\r\n\r\n"
            )
            writer.write(head.encode() + b"[]")
            answer = await reader.read()
            slow_writer.write(b"[]")
            assert (await slow_reader.read()).startswith(b"HTTP/1.1 202")
            writer.close()
            slow_writer.close()
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Connection: close" in answer
