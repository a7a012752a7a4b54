"""The answer for an accepted callback, as it is on the wire of a real server."""

import asyncio
import logging
import re
import socket
import struct
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import pytest
import uvloop
from aiohttp import web

from ingest import responses
from ingest.answers import DRAINING, FORBIDDEN, NOT_HERE, WRONG_METHOD, Receipt, Refusal
from ingest.listener import CallbackServer
from ingest.responses import RECEIPT_HEADER, refuse, respond

RECEIPT = Receipt("0199a5be-0000-7000-8000-000000000000", 17)
HIGH_WATER = 64 * 1024
"""Bytes a transport takes over before it asks its user to wait; that of asyncio and of uvloop."""
LONGEST_ANSWER = 256


@dataclass
class Server:
    """Answers each request with the receipt of its number; what is unusual about it can be changed meanwhile."""

    port: int = 0
    draining: bool = False
    answer: Receipt | Refusal | None = None
    by_aiohttp: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Requests wait for it."""
    answered: int = 0
    most_buffered: int = 0
    """Bytes of answers that were not written yet when the next request was dealt with, at most."""
    paused: asyncio.Event = field(default_factory=asyncio.Event)
    """A connection does not take more answers."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        await self.released.wait()
        if request.transport is not None:
            self.most_buffered = max(self.most_buffered, request.transport.get_write_buffer_size())
        answer = self.answer or Receipt(RECEIPT.message_id, int(body or 0))
        self.answered += 1
        asyncio.get_running_loop().call_soon(self._look, request)
        if self.by_aiohttp:
            return web.Response(status=202, headers={RECEIPT_HEADER: str(answer)})
        return respond(request, answer, draining=self.draining)

    def _look(self, request: web.BaseRequest) -> None:
        if request.protocol.writing_paused:
            self.paused.set()


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """Run a server whose connections have small buffers in the system."""
    server = Server()
    server.released.set()
    handling = CallbackServer(server.handle, lambda _error: web.Response(status=503))
    runner = web.ServerRunner(handling, shutdown_timeout=1.0)
    await runner.setup()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        server.port = listener.getsockname()[1]
        await web.SockSite(runner, listener).start()
        try:
            yield server
        finally:
            server.released.set()
            await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """Of a loop of either kind: they write and buffer each in their own way."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


def post(*headers: str, body: bytes = b"0", version: str = "1.1") -> bytes:
    lines = [f"POST /callbacks/k HTTP/{version}", "Host: ingest", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Connection]:
    """Connect with small buffers, here and in the system; in the end leave, however that ends."""
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    caller.setblocking(False)
    await asyncio.get_running_loop().sock_connect(caller, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(sock=caller, limit=4096)
    try:
        async with asyncio.timeout(30):
            yield reader, writer
    finally:
        writer.transport.abort()


async def answers_to(server: Server, request: bytes, count: int = 1) -> bytes:
    """Return so many answers, byte for byte, of a connection that is then still open."""
    async with connected(server) as (reader, writer):
        writer.write(request)
        answers = await read_answers(reader, count)
        writer.write(post(body=b"4711"))
        assert b"/4711\r\n" in await reader.readuntil(b"\r\n\r\n")
        return answers


async def last_answer_to(server: Server, request: bytes) -> bytes:
    """Return all that comes until the server closes the connection."""
    async with connected(server) as (reader, writer):
        writer.write(request)
        return await reader.read()


def parse(answer: bytes) -> tuple[str, dict[str, str]]:
    """Return the status line and the headers."""
    status, *lines = answer.decode().removesuffix("\r\n\r\n").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert len(headers) == len(lines)
    return status, headers


async def test_an_accepted_callback_is_answered_with_the_receipt_and_an_empty_body(server: Server) -> None:
    server.answer = RECEIPT
    async with connected(server) as (reader, writer):
        writer.write(post())
        answer = await reader.readuntil(b"\r\n\r\n")
    assert re.fullmatch(
        rb"HTTP/1\.1 202 Accepted\r\n"
        rb"Content-Length: 0\r\n"
        rb"Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n"
        rb"X-Receipt-Id: 0199a5be-0000-7000-8000-000000000000/17\r\n"
        rb"\r\n",
        answer,
    )


async def test_the_date_is_that_of_the_answer(server: Server) -> None:
    before = int(time.time())
    _, headers = parse(await answers_to(server, post()))
    assert before <= parsedate_to_datetime(headers["Date"]).timestamp() <= time.time()


async def test_the_date_goes_on_with_the_clock(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    dates = []
    for now in (1_700_000_000.0, 1_700_000_000.9, 1_700_000_001.0, 1_709_210_096.5):
        monkeypatch.setattr(responses, "time", SimpleNamespace(time=lambda now=now: now))
        dates.append(parse(await answers_to(server, post()))[1]["Date"])
    assert dates == [
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "Tue, 14 Nov 2023 22:13:20 GMT",
        "Tue, 14 Nov 2023 22:13:21 GMT",
        "Thu, 29 Feb 2024 12:34:56 GMT",
    ]


async def test_it_says_what_aiohttp_would_but_for_who_serves_and_the_type_of_no_content(server: Server) -> None:
    status, headers = parse(await answers_to(server, post()))
    server.by_aiohttp = True
    status_of_aiohttp, headers_of_aiohttp = parse(await answers_to(server, post()))
    assert status == status_of_aiohttp
    assert headers_of_aiohttp.keys() - headers.keys() <= {"Server", "Content-Type"}
    date, date_of_aiohttp = (parsedate_to_datetime(each.pop("Date")) for each in (headers, headers_of_aiohttp))
    assert 0 <= (date_of_aiohttp - date).total_seconds() <= 10
    assert headers == {name: headers_of_aiohttp[name] for name in headers}


async def test_a_caller_that_wants_the_connection_closed_is_told_that_it_is(server: Server) -> None:
    status, headers = parse(await last_answer_to(server, post("Connection: close")))
    assert (status, headers["Connection"]) == ("HTTP/1.1 202 Accepted", "close")
    assert (headers["Content-Length"], headers[RECEIPT_HEADER]) == ("0", f"{RECEIPT.message_id}/0")


async def test_a_caller_of_http_1_0_gets_an_answer_of_its_version_and_the_connection_is_closed(server: Server) -> None:
    status, headers = parse(await last_answer_to(server, post(version="1.0")))
    assert status == "HTTP/1.0 202 Accepted"
    assert headers[RECEIPT_HEADER] == f"{RECEIPT.message_id}/0"
    assert headers.get("Connection", "close") == "close"


async def test_a_caller_of_http_1_0_that_asks_for_it_may_go_on(server: Server) -> None:
    status, headers = parse(await answers_to(server, post("Connection: keep-alive", version="1.0")))
    assert (status, headers["Connection"]) == ("HTTP/1.0 202 Accepted", "keep-alive")
    assert (headers["Content-Length"], headers[RECEIPT_HEADER]) == ("0", f"{RECEIPT.message_id}/0")


async def test_while_draining_each_connection_is_closed_after_its_answer(server: Server) -> None:
    server.draining = True
    status, headers = parse(await last_answer_to(server, post()))
    assert (status, headers["Connection"]) == ("HTTP/1.1 202 Accepted", "close")
    server.answer = DRAINING
    status, headers = parse(await last_answer_to(server, post()))
    assert (status, headers["Connection"]) == ("HTTP/1.1 503 Service Unavailable", "close")


async def test_pipelined_requests_get_their_answers_in_order(server: Server) -> None:
    requests = [post(body=b"%d" % number) for number in range(50)]
    answers = await answers_to(server, b"".join(requests), len(requests))
    assert re.findall(rb"X-Receipt-Id: \S+/(\d+)\r\n", answers) == [b"%d" % number for number in range(50)]


async def test_requests_and_answers_of_both_kinds_may_alternate(server: Server) -> None:
    statuses = []
    async with connected(server) as (reader, writer):
        for answer in (RECEIPT, WRONG_METHOD, RECEIPT, DRAINING, RECEIPT):
            server.answer = answer
            writer.write(post())
            status, _ = parse(await reader.readuntil(b"\r\n\r\n"))
            statuses.append(status.split()[1])
    assert statuses == ["202", "405", "202", "503", "202"]


@pytest.mark.parametrize("refusal", [NOT_HERE, FORBIDDEN])
def test_a_caller_that_is_not_vibes_is_cut_off(refusal: Refusal) -> None:
    assert refuse(refusal).keep_alive is False


def test_a_caller_that_is_gone_raises_nothing_into_the_log(
    runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with serving() as server, AsyncExitStack() as connections:
            server.released.clear()
            gone = [await connections.enter_async_context(connected(server)) for _ in range(3)]
            for _, writer in gone:
                # Several, as the transports of both loops complain when they are written to again and again.
                writer.write(post() * 20)
                await writer.drain()
            reset(gone[0][1])
            reset(gone[1][1])
            gone[2][1].close()
            # The server reads in the order in which things happen, so it has seen the others leave by then.
            async with connected(server) as (reader, writer):
                writer.write(post())
                server.released.set()
                assert b" 202 " in await reader.readuntil(b"\r\n\r\n")

    check_log_of(runner, scenario(), caplog)


def test_a_caller_that_does_not_read_its_answers_is_not_buffered_for_without_bound(
    runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    requests, others = 10_000, 500

    async def scenario() -> None:
        async with serving() as server, connected(server) as (reader, writer):
            writer.write(post() * requests)
            await server.paused.wait()
            before = server.answered
            # Had the server gone on meanwhile, it would have had the time for as many answers to the other.
            await answers_to(server, post() * others, others)
            assert server.answered == before + others + 1 < requests
            await read_answers(reader, requests)
            assert server.answered == requests + others + 1
            assert HIGH_WATER / 2 < server.most_buffered <= HIGH_WATER + LONGEST_ANSWER

    check_log_of(runner, scenario(), caplog)


def test_a_caller_that_does_not_read_its_answers_and_leaves_raises_nothing_into_the_log(
    runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with serving() as server, connected(server) as (_, writer):
            writer.write(post() * 10_000)
            await server.paused.wait()
            reset(writer)
            assert b" 202 " in await answers_to(server, post())

    check_log_of(runner, scenario(), caplog)


def check_log_of(
    runner: asyncio.Runner, scenario: Coroutine[None, None, None], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        runner.run(scenario)
    assert [record.getMessage() for record in caplog.records] == []


def reset(writer: asyncio.StreamWriter) -> None:
    """Leave without a farewell."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read_answers(reader: asyncio.StreamReader, count: int) -> bytes:
    return b"".join([await reader.readuntil(b"\r\n\r\n") for _ in range(count)])
