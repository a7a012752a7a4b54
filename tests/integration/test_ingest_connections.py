"""Crowds that hold connections and ask for nothing, or never finish asking, starve nobody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ingest import connections
from tests.support.ingest import KEY, Ingest, client, eventually, ingest_here, send

REQUEST = f"POST /callbacks/{KEY} HTTP/1.1\r\nHost: ingest\r\nContent-Length: 2\r\n\r\n{{}}".encode()
UNFINISHED = f"POST /callbacks/{KEY} HTTP/1.1\r\nHost: ingest\r\nX-Slow: ".encode()


class Visitor:
    """A connection, and what became of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @property
    def is_out(self) -> bool:
        return self.reader.at_eof() or self.reader.exception() is not None

    async def ask(self) -> bytes:
        """Send a request; return the first line of the answer."""
        self.writer.write(REQUEST)
        async with asyncio.timeout(5):
            return (await self.reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]


@asynccontextmanager
async def visitors(ingest: Ingest, count: int, first: bytes = b"") -> AsyncIterator[list[Visitor]]:
    """Open so many connections, one after the other, each of which sends `first`."""
    inside = []
    try:
        for _ in range(count):
            visitor = Visitor(*await asyncio.open_connection("127.0.0.1", ingest.port))
            inside.append(visitor)
            visitor.writer.write(first)
        yield inside
    finally:
        for visitor in inside:
            visitor.writer.transport.abort()


async def cut(ingest: Ingest, reason: str) -> float:
    return (await ingest.metrics()).get(f'vibes_ingest_connections_cut_total{{reason="{reason}"}}', 0)


async def test_a_crowd_that_asks_for_nothing_makes_room_for_who_does(amqp_url: str) -> None:
    async with ingest_here(amqp_url, ingest_max_connections=20) as ingest, visitors(ingest, 100) as crowd:
        await eventually(lambda: sum(visitor.is_out for visitor in crowd) == 80, "all but the limit are out")
        for _ in range(30):
            assert (await ingest.post()).status == 202


async def test_who_was_answered_keeps_the_connection_however_many_come(amqp_url: str) -> None:
    async with ingest_here(amqp_url, ingest_max_connections=20) as ingest, visitors(ingest, 1) as known:
        assert b" 202 " in await known[0].ask()
        async with visitors(ingest, 100) as crowd:
            await eventually(lambda: sum(visitor.is_out for visitor in crowd) >= 80, "the crowd is out")
            assert b" 202 " in await known[0].ask()


async def test_headers_that_never_end_are_given_up(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_HEADER_SECONDS", 0.3)
    monkeypatch.setattr(connections, "_TICK_SECONDS", 0.05)
    async with ingest_here(amqp_url) as ingest:
        before = await cut(ingest, "slow_headers")
        async with visitors(ingest, 10, UNFINISHED) as slow, visitors(ingest, 1) as idle:

            def all_slow_are_out() -> bool:
                for visitor in slow:
                    visitor.writer.write(b"s")
                return all(visitor.is_out for visitor in slow)

            await eventually(all_slow_are_out, "the slow ones are out")
            assert b" 202 " in await idle[0].ask(), "who has not begun is not slow"
        assert await cut(ingest, "slow_headers") == before + 10


async def test_headers_that_are_finished_in_time_are_no_reason_to_cut(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_HEADER_SECONDS", 0.3)
    monkeypatch.setattr(connections, "_TICK_SECONDS", 0.05)
    async with ingest_here(amqp_url) as ingest, visitors(ingest, 1) as inside, visitors(ingest, 1, UNFINISHED) as slow:
        for at in range(len(REQUEST)):
            inside[0].writer.write(REQUEST[at : at + 1])
            await inside[0].writer.drain()
        assert b" 202 " in await inside[0].reader.readuntil(b"\r\n\r\n")
        inside[0].writer.write(b"\r\n\r\n")  # more line breaks than belong to a request begin none
        await eventually(lambda: slow[0].is_out, "the time of headers is over")
        assert b" 202 " in await inside[0].ask()


async def test_unfinished_headers_hold_so_much_memory_at_most(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_MOST_UNFINISHED_BYTES", 500_000)
    async with ingest_here(amqp_url) as ingest:
        before = await cut(ingest, "unfinished_headers")
        async with visitors(ingest, 20, UNFINISHED + b"v" * 50_000) as greedy:
            await eventually(lambda: sum(visitor.is_out for visitor in greedy) >= 10, "the oldest are out")
            assert not greedy[-1].is_out
            assert (await ingest.post()).status == 202
        assert await cut(ingest, "unfinished_headers") - before >= 10


async def test_who_is_told_that_the_body_was_slow_is_told_that_the_connection_closes(amqp_url: str) -> None:
    slow = f"POST /callbacks/{KEY} HTTP/1.1\r\nHost: ingest\r\nContent-Length: 9\r\n\r\n{{".encode()
    async with ingest_here(amqp_url, ingest_deadline_seconds=0.2) as ingest, visitors(ingest, 1, slow) as inside:
        async with asyncio.timeout(5):
            answer = await inside[0].reader.readuntil(b"\r\n\r\n")
    assert b" 503 " in answer
    assert b"Connection: close" in answer


async def test_open_connections_are_told(amqp_url: str) -> None:
    async with ingest_here(amqp_url) as ingest:

        async def open_connections() -> float:
            return (await ingest.metrics())["vibes_ingest_connections"]

        async with visitors(ingest, 5):
            await eventually(lambda: _is(open_connections, 5), "five are open")
        await eventually(lambda: _is(open_connections, 0), "none is open")


async def test_callers_who_keep_their_connections_are_not_disturbed_at_the_limit(amqp_url: str) -> None:
    async with ingest_here(amqp_url, ingest_max_connections=10) as ingest, client() as session:
        for _ in range(5):
            answers = await asyncio.gather(*(send(session, "POST", ingest.callback_url(), b"{}") for _ in range(10)))
            assert {answer.status for answer in answers} == {202}


async def _is(figure: Callable[[], Awaitable[float]], expected: float) -> bool:
    return await figure() == expected
