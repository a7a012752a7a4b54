"""Sends attempts over raw sockets and reads what comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.chaos.abuse.attempts import CLOSED, Attempt

_MOST_HEAD_BYTES = 64 * 1024


@dataclass(slots=True)
class Answer:
    """One answer; `status` is CLOSED when none came and the connection was closed, None when none came in time."""

    status: int | None
    receipt: str = ""


@dataclass(slots=True)
class Reply:
    """All that came back to an attempt."""

    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0.0
    """From the last byte sent, or the answer before it if that came later, to the answer that took longest."""


class Wire:
    """A connection that is opened when it is needed and used as long as both sides want it."""

    def __init__(self, host: str, port: int, source: str) -> None:
        self._address = (host, port)
        self._source = source
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, attempt: Attempt) -> Reply:
        """Send an attempt and read its answers. Raises OSError when ingest lets nobody in.

        A connection that had been quiet may be closed just as it is used again; every HTTP client tries once more then,
        on a new one (RFC 9112, 9.3.1).
        """
        used_before = self._streams is not None
        reply = await self._run_once(attempt)
        if used_before and reply.answers and reply.answers[0].status == CLOSED:
            reply = await self._run_once(attempt)
        return reply

    async def _run_once(self, attempt: Attempt) -> Reply:
        reader, writer = await self._open()
        reply = Reply()
        try:
            await self._converse(attempt, reader, writer, reply)
        finally:
            proper = len(reply.answers) == attempt.answers and all(answer.status == 202 for answer in reply.answers)
            if not attempt.reusable or not proper or reader.at_eof():
                self.close()
        return reply

    def close(self) -> None:
        """Close the connection, at once."""
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                *self._address, local_addr=(self._source, 0), limit=_MOST_HEAD_BYTES
            )
        return self._streams

    async def _converse(
        self, attempt: Attempt, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Reply
    ) -> None:
        loop = asyncio.get_running_loop()
        sending = asyncio.ensure_future(_send(attempt, writer))
        try:
            if not attempt.answers:
                await sending
                return
            for _ in range(attempt.answers):
                started = loop.time()
                answer = await _read_answer(reader, attempt.patience)
                reply.seconds = max(reply.seconds, loop.time() - started)
                reply.answers.append(answer)
                if not answer.status:
                    return
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _send(attempt: Attempt, writer: asyncio.StreamWriter) -> None:
    try:
        for number, piece in enumerate(attempt.pieces):
            if number:
                await asyncio.sleep(attempt.pause)
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass  # what the other side said before it closed is still to be read


async def _read_answer(reader: asyncio.StreamReader, patience: float) -> Answer:
    try:
        async with asyncio.timeout(patience):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                answer, length = _parse(head)
                await reader.readexactly(length)
                if answer.status != 100:
                    return answer
    except TimeoutError:
        return Answer(None)
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(CLOSED)


def _parse(head: bytes) -> tuple[Answer, int]:
    """Read the head of an answer; return it and how long its body is. Raises ValueError when it is none."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, *_ = first.split(" ")
    if not version.startswith("HTTP/"):
        raise ValueError(f"no answer: {first!r}")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(status), headers.get("x-receipt-id", "")), int(headers.get("content-length", 0))


@asynccontextmanager
async def wire_to(host: str, port: int, source: str = "127.0.0.1") -> AsyncIterator[Wire]:
    """Have a wire, closed at the end."""
    wire = Wire(host, port, source)
    try:
        yield wire
    finally:
        wire.close()
