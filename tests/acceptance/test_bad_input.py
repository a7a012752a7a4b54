"""Whatever Vibes' addresses send is acknowledged and kept; nothing of it stops the pipeline."""

import asyncio
import json
from collections.abc import Iterator
from io import BytesIO
from uuid import UUID

import aiohttp
import asyncpg
import pytest

from deploy.local.stack import Stack
from tests.support.bodies import encoded, subscription_body

MIB = 1024 * 1024
UNREADABLE = {
    "broken JSON": b'{"event_id": "e1", "callback_type": ',
    "an array": b'[{"callback_type": "person_added"}]',
    "a number": b"42",
    "nothing": b"",
    "invalid UTF-8": b'{"event_id": "\xff\xfe", "callback_type": "person_added"}',
    "a NUL byte": b'{"event_id": "a\x00b", "callback_type": "person_added"}',
    "100,000-deep nesting": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "NaN": b'{"callback_type": "person_added", "person": {"person_id": NaN}}',
    "a lone surrogate": b'{"callback_type": "person_added", "person": {"person_id": "\\ud800"}}',
    "no type": b'{"event_id": "e1"}',
    "an unknown type": b'{"event_id": "e1", "callback_type": "from_the_future"}',
    "wrong types everywhere": b'{"event_id": [], "callback_type": "subscription_added", "subscription": "yes"}',
    "random bytes": bytes(range(256)) * 16,
    "exactly 1 MiB": b"x" * MIB,
}
READABLE = {
    "huge integers": b'{"callback_type":"person_added","event_id":"big","person":{"person_id":%d}}' % 10**40,
    "an escaped NUL": b'{"callback_type":"person_added","event_id":"nul","person":{"person_id":"n\\u0000"}}',
    "duplicate keys": b'{"callback_type":"x","callback_type":"person_added","event_id":"k","person":{"person_id":"k"}}',
    "a missing event_id": encoded(subscription_body(event_id=None)),
    "a byte order mark": b"\xef\xbb\xbf" + encoded(subscription_body(event_id="bom")),
    "odd types around what matters": encoded(
        {
            **subscription_body(event_id="odd", person={"id": 17, "mobile_phone": []}, list_id=4),
            "event_date": {"no": "date"},
        }
    ),
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def receipts(stack: Stack) -> dict[bytes, tuple[UUID, int]]:
    """Send every body as Vibes would, and wait until all are dealt with and where their outcome says."""
    taken = asyncio.run(send(stack, [*UNREADABLE.values(), *READABLE.values()]))
    listed = stack.directory / "receipts.txt"
    listed.write_text("".join(f"{receipt}\n" for receipt in taken.values()))
    audit = json.loads(stack.command("audit", "--json", "--receipts", str(listed)))
    assert audit["ok"]
    assert (audit["receipts"]["checked"], audit["receipts"]["missing"]) == (len(taken), [])
    return {body: split(receipt) for body, receipt in taken.items()}


async def send(stack: Stack, bodies: list[bytes]) -> dict[bytes, str]:
    taken = {}
    async with aiohttp.ClientSession() as session:
        for body in bodies:
            async with session.post(stack.callback_url("demo"), data=BytesIO(body)) as response:
                assert response.status == 202
                taken[body] = response.headers["X-Receipt-Id"]
    return taken


def split(receipt: str) -> tuple[UUID, int]:
    message_id, _, position = receipt.partition("/")
    return UUID(message_id), int(position)


async def look_up(stack: Stack, query: str, receipt: tuple[UUID, int]) -> asyncpg.Record | None:
    connection = await asyncpg.connect(stack.database_url)
    try:
        return await connection.fetchrow(f"{query} WHERE message_id = $1 AND position = $2", *receipt)
    finally:
        await connection.close()


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
async def test_what_cannot_be_read_is_acknowledged_and_kept_byte_for_byte(
    stack: Stack, receipts: dict[bytes, tuple[UUID, int]], body: bytes
) -> None:
    kept = await look_up(stack, "SELECT kind, body FROM dead_letters", receipts[body])
    assert kept is not None
    assert kept["kind"] == "quarantined"
    assert kept["body"] == body


@pytest.mark.parametrize("body", READABLE.values(), ids=READABLE)
async def test_what_can_be_read_in_spite_of_oddities_is_applied(
    stack: Stack, receipts: dict[bytes, tuple[UUID, int]], body: bytes
) -> None:
    assert await look_up(stack, "SELECT event_id FROM callback_events", receipts[body]) is not None


async def test_a_body_over_the_limit_is_refused(stack: Stack) -> None:
    async with aiohttp.ClientSession() as session:
        url = stack.callback_url("demo")
        async with session.post(url, data=BytesIO(b"x" * (MIB + 1))) as response:
            assert response.status == 413


async def test_other_methods_and_unknown_endpoints_get_the_answers_the_readme_lists(stack: Stack) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(stack.callback_url("demo")) as response:
            assert response.status == 405
        # The stack takes this machine's addresses for Vibes': a path that is not configured must not lose an event.
        async with session.post(f"http://127.0.0.1:{stack.ingest_port}/callbacks/unknown") as response:
            assert response.status == 503
        async with session.get(stack.metrics_url("ingest")) as response:
            assert "vibes_ingest_unconfigured_endpoint_total 1.0" in await response.text()
