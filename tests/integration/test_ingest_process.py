"""How the ingest process starts and ends."""

import asyncio
import json
import signal
import socket

import pytest

from ingest.process import serve
from runtime.companies import Companies
from schemas.errors import ConfigurationError
from tests.support.ingest import (
    COMPANIES,
    KEY,
    STRANGER,
    Ingest,
    by_receipt,
    client,
    eventually,
    ingest_process,
    read_messages,
    send,
    settings_for,
)
from tests.support.load import load_on


async def one_is_under_way(ingest: Ingest) -> bool:
    return (await ingest.metrics())["vibes_ingest_in_flight_requests"] == 1


async def is_not_ready(ingest: Ingest) -> bool:
    return not await ingest.ready()


async def lets_nobody_in(ingest: Ingest) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
    except ConnectionRefusedError:
        return True
    writer.close()
    await writer.wait_closed()
    return False


async def test_sigterm_under_load_costs_no_receipt(amqp_url: str) -> None:
    async with ingest_process(amqp_url) as ingest:
        assert ingest.process
        async with load_on(ingest, callers=32) as load:
            await eventually(lambda: load.statuses[202] >= 300, "load is on")
            ingest.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await ingest.process.wait() == 0
            await eventually(lambda: load.broken > 0, "callers find nobody")
    messages = await read_messages(amqp_url, ingest.topology)
    assert set(load.statuses) <= {202, 503}
    assert load.receipts <= set(by_receipt(messages))
    assert max(message.acknowledged for message in messages) == len(load.receipts)


async def test_sigkill_under_load_costs_no_receipt(amqp_url: str) -> None:
    async with ingest_process(amqp_url) as ingest:
        assert ingest.process
        async with load_on(ingest, callers=32) as load:
            await eventually(lambda: load.statuses[202] >= 300, "load is on")
            ingest.process.kill()
            await eventually(lambda: load.broken > 0, "callers find nobody")
    assert load.receipts <= set(by_receipt(await read_messages(amqp_url, ingest.topology)))


async def test_a_draining_process_is_not_ready_lets_nobody_in_and_answers_what_is_under_way(amqp_url: str) -> None:
    async with ingest_process(amqp_url) as ingest:
        assert ingest.process
        reader, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
        writer.write(f"POST /callbacks/{KEY} HTTP/1.1\r\nHost: ingest\r\nContent-Length: 2\r\n\r\n{{".encode())
        await eventually(lambda: one_is_under_way(ingest), "the request is under way")

        ingest.process.send_signal(signal.SIGTERM)
        await eventually(lambda: is_not_ready(ingest), "ingest is not ready")
        await eventually(lambda: lets_nobody_in(ingest), "nobody new gets in")
        writer.write(b"}")
        answer = await reader.read()
        writer.close()

        assert answer.startswith(b"HTTP/1.1 202")
        assert b"Connection: close" in answer
        assert await ingest.process.wait() == 0
    stored = by_receipt(await read_messages(amqp_url, ingest.topology))
    assert [callback.body for callback in stored.values()] == [b"{}"]


async def test_a_drain_ends_in_time_though_the_broker_is_away(amqp_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"amqp://127.0.0.1:{deaf.getsockname()[1]}/"
        async with ingest_process(url, wait_ready=False, drain_seconds=2) as ingest:
            assert ingest.process
            waiting = asyncio.create_task(ingest.post())
            await eventually(lambda: one_is_under_way(ingest), "the request is under way")
            ingest.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(3):
                assert await ingest.process.wait() == 0
            assert (await waiting).status == 503


async def test_who_asks_twice_means_it(amqp_url: str) -> None:
    async with ingest_process(amqp_url) as ingest:
        assert ingest.process
        _, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
        writer.write(f"POST /callbacks/{KEY} HTTP/1.1\r\nHost: ingest\r\nContent-Length: 2\r\n\r\n{{".encode())
        await eventually(lambda: one_is_under_way(ingest), "the request is under way")
        ingest.process.send_signal(signal.SIGTERM)
        await eventually(lambda: is_not_ready(ingest), "ingest is draining")
        ingest.process.send_signal(signal.SIGTERM)
        assert await ingest.process.wait() == -signal.SIGTERM
        writer.close()


async def test_several_processes_share_a_port(amqp_url: str) -> None:
    async with (
        ingest_process(amqp_url, "reuse-port") as first,
        ingest_process(amqp_url, "reuse-port", ingest_port=first.port) as second,
    ):
        assert second.process
        second.process.send_signal(signal.SIGTERM)
        assert await second.process.wait() == 0
        assert (await first.post()).status == 202


@pytest.mark.parametrize("setting", ["ingest_port", "ingest_admin_port"])
async def test_a_port_that_is_taken_is_named(amqp_url: str, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        named = pytest.raises(ConfigurationError, match=f"VIBES_PIPELINE_{setting.upper()}.*{port}")
        with settings_for(amqp_url, **{setting: port}) as settings, named:
            await serve(settings, Companies.model_validate(COMPANIES), asyncio.Event())


async def test_no_log_line_shows_a_key_a_number_or_a_body(amqp_url: str) -> None:
    body = json.dumps({"event_id": "A1", "callback_type": "person_added", "mdn": "+15551234567", "name": "Quentin"})
    async with ingest_process(amqp_url, log_level="DEBUG") as ingest:
        async with client() as session:
            await send(session, "POST", ingest.callback_url(), body.encode())
            await send(session, "POST", ingest.callback_url(), body.encode() + b"}")
            await send(session, "GET", ingest.callback_url())
            await send(session, "POST", ingest.callback_url("not-yet-configured"), body.encode())
        await ingest.post(body.encode(), source=STRANGER)
        assert ingest.process
        ingest.process.send_signal(signal.SIGTERM)
        await ingest.process.wait()
    shown = json.dumps(ingest.log)
    assert "A1" in shown
    assert "not a log line" not in shown
    for secret in (KEY, "not-yet-configured", "15551234567", "Quentin", amqp_url.split("@", maxsplit=1)[0]):
        assert secret not in shown
