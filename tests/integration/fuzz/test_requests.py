"""Requests that were answered wrongly once, or might be: each is a file, in a directory named for its answer.

ENDPOINT-KEY stands in them for the key of the endpoint.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.abuse.attempts import Attempt
from tests.chaos.abuse.wire import wire_to
from tests.support.ingest import KEY, Ingest, by_receipt, ingest_here, read_messages

CASES = sorted((Path(__file__).parents[2] / "fuzz_corpus" / "requests").glob("*/*.http"))


@pytest.fixture
async def ingest(amqp_url: str) -> AsyncIterator[Ingest]:
    async with ingest_here(amqp_url) as running:
        yield running


async def test_each_is_answered_as_it_should_be_and_what_is_acknowledged_is_there(
    ingest: Ingest, amqp_url: str
) -> None:
    answers = {path: await answer_to(ingest, path.read_bytes()) for path in CASES}
    wrong = {path.name: status for path, (status, _) in answers.items() if status != int(path.parent.name)}
    assert wrong == {}
    receipts = {receipt for _, receipt in answers.values() if receipt}
    assert receipts == set(by_receipt(await read_messages(amqp_url, ingest.topology)))


async def test_nothing_of_one_shows_in_the_answer_to_the_next(ingest: Ingest) -> None:
    """A request whose length can be read in two ways must not leave a part of itself for the next to begin with."""
    hidden = f"POST /callbacks/{KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}"
    for framing in (
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
    ):
        request = f"POST /callbacks/ENDPOINT-KEY HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}"
        assert await answer_to(ingest, request.encode()) == (503, "")


async def answer_to(ingest: Ingest, request: bytes) -> tuple[int | None, str]:
    """Send a request on a connection of its own; return the status and the receipt of the answer."""
    attempt = Attempt("corpus", (request.replace(b"ENDPOINT-KEY", KEY.encode()),), frozenset(), patience=5)
    async with wire_to("127.0.0.1", ingest.port) as wire:
        [answer] = (await wire.run(attempt)).answers
    return answer.status, answer.receipt
