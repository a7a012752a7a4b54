"""How callbacks get into the queues: in groups, once confirmed, and counted."""

import asyncio
from collections import Counter

import aio_pika
import pytest

from schemas.broker_message import CONTENT_TYPE, CallbackMessage
from tests.support.ingest import (
    KEY,
    SECOND_KEY,
    Answer,
    Ingest,
    by_receipt,
    client,
    eventually,
    ingest_here,
    read_messages,
    read_raw,
    send,
)


async def post_at_once(ingest: Ingest, bodies: list[bytes], key: str = KEY) -> list[Answer]:
    async with client() as session:
        return await asyncio.gather(*(send(session, "POST", ingest.callback_url(key), body) for body in bodies))


def numbered(count: int) -> list[bytes]:
    return [b'{"event_id": "%d"}' % number for number in range(count)]


async def test_callbacks_that_come_at_once_share_messages(amqp_url: str) -> None:
    async with ingest_here(amqp_url) as ingest:
        answers = await post_at_once(ingest, numbered(200))
        messages = await read_messages(amqp_url, ingest.topology)
    stored = by_receipt(messages)
    assert {answer.status for answer in answers} == {202}
    assert [stored[answer.receipt].body for answer in answers] == numbered(200)
    assert len([message for message in messages if message.callbacks]) < 100


async def test_a_callback_alone_has_a_message_of_its_own_and_does_not_wait(amqp_url: str) -> None:
    async with ingest_here(amqp_url) as ingest, client() as session:
        answers = [await send(session, "POST", ingest.callback_url(), b"{}") for _ in range(20)]
        messages = await read_messages(amqp_url, ingest.topology)
    assert [len(message.callbacks) for message in messages if message.callbacks] == [1] * 20
    assert min(answer.seconds for answer in answers) < 0.05


async def test_a_message_holds_one_companys_callbacks_and_no_more_than_allowed(amqp_url: str) -> None:
    async with ingest_here(amqp_url, ingest_group_max_callbacks=7, ingest_publishes_in_flight=1) as ingest:
        await asyncio.gather(
            post_at_once(ingest, [b'"acme"'] * 50, KEY), post_at_once(ingest, [b'"globex"'] * 50, SECOND_KEY)
        )
        messages = await read_messages(amqp_url, ingest.topology)
    assert max(len(message.callbacks) for message in messages) == 7
    for message in messages:
        assert {callback.body for callback in message.callbacks} <= {f'"{message.company_key}"'.encode()}


async def test_a_message_holds_no_more_bytes_than_allowed_but_any_one_body(amqp_url: str) -> None:
    async with ingest_here(amqp_url, ingest_group_max_bytes=1024, ingest_publishes_in_flight=1) as ingest:
        await post_at_once(ingest, [b"s" * 400] * 20 + [b"l" * 5000] * 5)
        messages = await read_messages(amqp_url, ingest.topology)
    for message in messages:
        size = sum(len(callback.body) for callback in message.callbacks)
        assert size <= 1024 or len(message.callbacks) == 1
    assert sum(len(message.callbacks) for message in messages) == 25


async def test_messages_are_spread_over_all_queues(amqp_url: str) -> None:
    async with ingest_here(amqp_url, apply_queues=3, ingest_group_max_callbacks=1) as ingest:
        await post_at_once(ingest, numbered(30))
        raw = await read_raw(amqp_url, ingest.topology)
    assert set(Counter(message.routing_key for message in raw)) == {"0", "1", "2"}


async def test_messages_survive_a_restart_of_the_broker_and_have_ids_of_their_own(amqp_url: str) -> None:
    async with ingest_here(amqp_url) as ingest:
        await post_at_once(ingest, numbered(50))
        raw = await read_raw(amqp_url, ingest.topology)
    assert {message.delivery_mode for message in raw} == {aio_pika.DeliveryMode.PERSISTENT}
    assert {message.content_type for message in raw} == {CONTENT_TYPE}
    assert len({message.message_id for message in raw}) == len(raw)


class TestAcknowledged:
    """What the messages tell the audit."""

    async def test_a_message_tells_how_many_were_acknowledged_before_it(self, amqp_url: str) -> None:
        async with ingest_here(amqp_url) as ingest:
            for _ in range(3):
                await ingest.post()
            messages = await read_messages(amqp_url, ingest.topology)
        told = [message.acknowledged for message in messages if message.callbacks]
        assert told == [0, 1, 2]

    async def test_a_company_that_falls_quiet_gets_a_message_with_its_final_number(self, amqp_url: str) -> None:
        async with ingest_here(amqp_url) as ingest:
            await post_at_once(ingest, numbered(30), KEY)
            await post_at_once(ingest, numbered(20), SECOND_KEY)
            messages: list[CallbackMessage] = []

            async def told() -> bool:
                messages.extend(await read_messages(amqp_url, ingest.topology))
                return final(messages) == {"acme": 30, "globex": 20}

            await eventually(told, "both final numbers are told", within=5)
        empty = [message for message in messages if not message.callbacks and message.acknowledged]
        assert {message.company_key for message in empty} == {"acme", "globex"}

    async def test_nothing_is_told_twice(self, amqp_url: str) -> None:
        async with ingest_here(amqp_url) as ingest:
            await ingest.post()
            messages: list[CallbackMessage] = []

            async def told() -> bool:
                messages.extend(await read_messages(amqp_url, ingest.topology))
                return final(messages).get("acme") == 1

            await eventually(told, "the final number is told", within=5)
        assert await read_messages(amqp_url, ingest.topology) == []

    async def test_the_end_of_the_process_does_not_wait_for_quiet(self, amqp_url: str) -> None:
        async with ingest_here(amqp_url) as ingest:
            await post_at_once(ingest, numbered(30))
        messages = await read_messages(amqp_url, ingest.topology)
        assert final(messages) == {"acme": 30}
        assert len({message.ingest_id for message in messages}) == 1

    async def test_each_start_counts_anew_under_its_own_id(self, amqp_url: str) -> None:
        for _ in range(2):
            async with ingest_here(amqp_url) as ingest:
                await ingest.post()
        messages = await read_messages(amqp_url, ingest.topology)
        counts = {message.ingest_id: message.acknowledged for message in messages if message.acknowledged}
        assert list(counts.values()) == [1, 1]


@pytest.mark.parametrize(("victim", "reason"), [("queue", "broker_unroutable"), ("exchange", "broker_connection_lost")])
async def test_a_deleted_queue_or_exchange_costs_no_event_and_is_made_again(
    amqp_url: str, victim: str, reason: str
) -> None:
    name = f'vibes_ingest_answers_total{{company_key="acme",reason="{reason}",status="503"}}'
    async with ingest_here(amqp_url, ingest_deadline_seconds=0.5) as ingest:
        connection = await aio_pika.connect(amqp_url)
        async with connection:
            channel = await connection.channel()
            if victim == "queue":
                await channel.queue_delete(ingest.topology.apply_queue(0).name)
            else:
                await channel.exchange_delete(ingest.topology.callbacks.name)
        before = (await ingest.metrics()).get(name, 0)
        assert (await ingest.post(b"{}")).status == 503
        assert (await ingest.metrics())[name] == before + 1
        await eventually(ingest.ready, "ingest is ready again", within=5)
        answer = await ingest.post(b"{}")
        assert answer.receipt in by_receipt(await read_messages(amqp_url, ingest.topology))


def final(messages: list[CallbackMessage]) -> dict[str, int]:
    """Return, by company, the greatest number the messages tell."""
    told: dict[str, int] = {}
    for message in messages:
        if message.acknowledged:
            told[message.company_key] = max(told.get(message.company_key, 0), message.acknowledged)
    return told
