"""Changes and callbacks in one process, and more changes than fit: nobody is held up, and nothing is shown in a log."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from statistics import median

import pytest

from tests.support.crm_intake import CRM_COMPANIES, PERSON, TOKEN, persons, post_changes, told
from tests.support.ingest import Ingest, eventually, ingest_here, ingest_process
from tests.support.load import load_on


@pytest.fixture
def amqp_url(emptied_amqp_url: str) -> str:
    return emptied_amqp_url


@pytest.fixture
async def ingest(amqp_url: str) -> AsyncIterator[Ingest]:
    async with ingest_here(amqp_url, companies=CRM_COMPANIES) as running:
        yield running


async def test_a_callback_does_not_wait_for_a_large_request(amqp_url: str) -> None:
    fields = {f"field_{number}": "some text of a usual length" for number in range(25)}
    body = json.dumps(persons(10_000, mdn="+13125550100", custom_fields=fields)).encode()
    async with ingest_process(amqp_url, companies=CRM_COMPANIES) as ingest, load_on(ingest, callers=8) as load:
        await eventually(lambda: load.statuses[202] >= 100, "callbacks are coming in")
        load.answers.clear()
        answer = await post_changes(ingest, body, query="?results=refused")
        during = list(load.answers)
    assert (answer.status, told(answer)["accepted"]) == (202, 10_000)
    assert len(during) > 50
    assert Counter(answer.status for answer in during) == {202: len(during)}
    assert max(answer.seconds for answer in during) < 1.5
    assert median(answer.seconds for answer in during) < 0.2


async def test_a_record_alone_does_not_wait_for_a_large_request(amqp_url: str) -> None:
    body = json.dumps(persons(10_000, custom_fields={"notes": "x" * 1400})).encode()
    async with ingest_process(amqp_url, companies=CRM_COMPANIES) as ingest:
        large = asyncio.create_task(post_changes(ingest, body, query="?results=refused"))
        before = 0
        while not large.done():
            assert (await post_changes(ingest, PERSON)).status == 202
            before += 1
        assert (await large).status == 202
    assert before > 10


async def test_more_requests_at_a_time_than_fit_come_again(ingest: Ingest) -> None:
    slow = [await half_a_request(ingest) for _ in range(100)]
    answer = await post_changes(ingest, PERSON)
    assert (answer.status, told(answer)["error"]["reason"]) == (503, "overloaded")
    assert answer.headers["Retry-After"] == "5"
    for _, writer in slow:
        writer.close()
    await eventually(lambda: is_taken(ingest), "there is room again")


async def test_bodies_that_do_not_fit_into_memory_together_come_again(amqp_url: str) -> None:
    limit = 65_536
    async with ingest_here(amqp_url, companies=CRM_COMPANIES, ingest_crm_max_body_bytes=limit) as ingest:
        slow = [await half_a_request(ingest, b" " * (limit - 10)) for _ in range(4)]
        answer = await post_changes(ingest, json.dumps(PERSON).encode().ljust(limit))
        assert (answer.status, told(answer)["error"]["reason"]) == (503, "overloaded")
        for _, writer in slow:
            writer.close()


async def test_no_log_line_shows_a_token_an_id_or_a_number(amqp_url: str) -> None:
    secrets = {"external_person_id": "Quentin-7", "mdn": "+15551234567"}
    async with ingest_process(amqp_url, companies=CRM_COMPANIES, log_level="DEBUG") as ingest:
        await post_changes(ingest, [secrets, {**secrets, "mdn": "5551234567x"}])
        await post_changes(ingest, [secrets], token="not-a-token-yet")
        await post_changes(ingest, b"Quentin-7")
        await post_changes(ingest, [secrets], query="?bulk=Quentin-7")
        assert ingest.process
        ingest.process.terminate()
        await ingest.process.wait()
    shown = json.dumps(ingest.log)
    assert "ingest.crm_answered" in shown
    assert "not a log line" not in shown
    for secret in (TOKEN, "not-a-token-yet", "Quentin", "5551234567"):
        assert secret not in shown


async def is_taken(ingest: Ingest) -> bool:
    return (await post_changes(ingest, PERSON)).status == 202


async def half_a_request(ingest: Ingest, body: bytes = b"[") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin a request, and wait until its body is being waited for."""
    lines = ["POST /crm/persons HTTP/1.1", "Host: x", f"Authorization: Bearer {TOKEN}", "Content-Length: 65535"]
    reader, writer = await asyncio.open_connection("127.0.0.1", ingest.port, family=socket.AF_INET)
    writer.write("\r\n".join([*lines, "Expect: 100-continue", "", ""]).encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 100")
    writer.write(body)
    await writer.drain()
    return reader, writer
