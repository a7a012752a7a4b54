"""What is final, what is retried, and what is never done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import unused_port

from tests.integration.vibes_api.scripted import (
    PATCH,
    PERSON,
    SPEC,
    Responder,
    Use,
    Vibes,
    Watch,
    never_ending_body,
    reply,
    reset,
    reset_in_mid_body,
)
from vibes_api import (
    AccessDenied,
    BadRequest,
    Conflict,
    ConnectionFailed,
    MalformedResponse,
    NotFound,
    RateLimited,
    Redirected,
    Rejected,
    RetryPolicy,
    ServerError,
    Unprocessable,
    VibesClient,
    VibesError,
    Written,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BODIES = [
    b"",
    b'{"errors":[{"message":"about +12135551234","code":7}]}',
    b"<html>Steve</html>",
    b'{"errors":[',
    b"\xff\x00",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, Redirected),
        (400, BadRequest),
        (401, AccessDenied),
        (403, AccessDenied),
        (404, NotFound),
        (409, Conflict),
        (413, Rejected),
        (422, Unprocessable),
    ],
)
async def test_a_refusal_is_final_whatever_its_body(
    status: int, error: type[VibesError], body: bytes, client: VibesClient, vibes: Vibes, watch: Watch
) -> None:
    vibes.script = [reply(status, body)]

    with pytest.raises(error) as failure:
        await client.persons.update("k-1", PATCH)

    assert type(failure.value) is error
    assert failure.value.status == status
    assert [entry.code for entry in failure.value.errors] == (["7"] if b"7" in body else [])
    assert str(failure.value).startswith(f"PUT /persons/{{person_key}} was answered {status}")
    assert not re.search("2135551234|Steve|k-1", f"{failure.value} {failure.value!r}")
    assert len(vibes.seen) == watch.entered == 1
    assert watch.outcomes == [(status, error.kind)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_credentials_do_not_follow_a_redirect(status: int, client: VibesClient, vibes: Vibes) -> None:
    vibes.script = [reply(status, b"", {"Location": f"{vibes.url}elsewhere"}), reply(200, PERSON)]

    with pytest.raises(Redirected):
        await client.persons.get("k-1")

    assert len(vibes.seen) == 1


@pytest.mark.parametrize(
    "body", [b"<html>log in</html>", b"{", b"[]", b'"text"', b"", b"null", b"{}", b'{"status": "ok"}']
)
async def test_a_success_that_cannot_be_read_is_trouble_of_the_environment_and_not_repeated(
    body: bytes, client: VibesClient, vibes: Vibes, watch: Watch
) -> None:
    vibes.script = [reply(200, body)]

    with pytest.raises(MalformedResponse):
        await client.persons.get("k-1")

    assert watch.outcomes == [(200, "malformed_response")]


async def test_a_body_is_read_up_to_8_mib_and_no_further(client: VibesClient, vibes: Vibes) -> None:
    limit = 8 * 1024 * 1024
    person = b'{"person_key": "k-1"}'
    vibes.script = [reply(200, person.ljust(limit)), reply(200, person.ljust(limit + 1))]

    await client.persons.get("k-1")
    with pytest.raises(MalformedResponse, match="larger than 8388608 bytes"):
        await client.persons.get("k-1")


async def test_a_body_without_end_is_not_read_on(client: VibesClient, vibes: Vibes) -> None:
    vibes.script = [never_ending_body]

    with pytest.raises(MalformedResponse, match="larger than 8388608 bytes"):
        await client.persons.get("k-1")


TROUBLE: list[tuple[Responder, int | None, str]] = [
    (reply(429), 429, "rate_limited"),
    (reply(408), 408, "timed_out"),
    (reply(500, b"<html>"), 500, "server_error"),
    (reply(503), 503, "server_error"),
    (reset, None, "connection_failed"),
    (reset_in_mid_body, 200, "connection_failed"),
]


@pytest.mark.parametrize("use", [lambda v: v.persons.update("k", PATCH), lambda v: v.persons.add(PATCH)])
@pytest.mark.parametrize(("trouble", "status", "kind"), TROUBLE)
async def test_trouble_is_retried_with_one_request_one_permit_and_one_record_for_each_attempt(
    trouble: Responder,
    status: int | None,
    kind: str,
    use: Callable[[VibesClient], Awaitable[Written]],
    client: VibesClient,
    vibes: Vibes,
    watch: Watch,
) -> None:
    vibes.script = [trouble, trouble, reply(200, PERSON)]

    written = await use(client)

    assert written.person is not None
    assert len(vibes.seen) == watch.entered == 3
    assert watch.outcomes == [(status, kind), (status, kind), (200, None)]
    assert [call.attempt for call in watch.calls] == [1, 2, 3]
    assert [getattr(error, "kind", None) for error in watch.left_with] == [kind, kind, None]
    assert len(watch.waits) == 2


async def test_attempts_end_and_the_last_error_is_raised(client: VibesClient, vibes: Vibes) -> None:
    vibes.script = [reply(503), reply(503), reply(429, b"", {"Retry-After": "9"})]

    with pytest.raises(RateLimited) as failure:
        await client.persons.get("k-1")

    assert (failure.value.attempt, failure.value.retry_after) == (3, 9.0)


@pytest.mark.parametrize("where", ["hang", "hang_in_mid_body"])
async def test_a_hanging_answer_times_out_and_is_retried(where: str, vibes: Vibes, watch: Watch) -> None:
    vibes.script = [getattr(vibes, where), reply(200, PERSON)]
    retry = RetryPolicy(sleep=watch.sleep)

    async with VibesClient(vibes.url, "c", "u", "p", timeout=0.3, retry=retry, observer=watch) as client:
        await client.persons.get("k-1")

    assert [call.error for call in watch.calls] == ["timed_out", None]
    assert 0.25 < watch.calls[0].latency_seconds < 3


async def test_no_connection_at_all_is_retried_and_described_without_ids(watch: Watch) -> None:
    retry = RetryPolicy(attempts=2, sleep=watch.sleep)
    port = unused_port()

    async with VibesClient(f"http://127.0.0.1:{port}", "c", "u", "p", retry=retry, observer=watch) as client:
        with pytest.raises(ConnectionFailed, match=f"Cannot connect to host 127.0.0.1:{port}") as failure:
            await client.persons.get_by_external_id("secret-id")

    assert failure.value.never_processed
    assert failure.value.__cause__ is None
    assert "secret-id" not in str(failure.value)
    assert watch.outcomes == [(None, "connection_failed")] * 2


@pytest.mark.parametrize("use", [lambda v: v.callbacks.register(SPEC), lambda v: v.callbacks.send_test("x")])
@pytest.mark.parametrize(
    ("trouble", "attempts"), [(reply(500), 1), (reset, 1), (reset_in_mid_body, 1), (reply(429), 2)]
)
async def test_what_does_harm_twice_is_repeated_only_when_vibes_has_not_acted(
    trouble: Responder, attempts: int, use: Use, client: VibesClient, vibes: Vibes
) -> None:
    vibes.script = [trouble, reply(201, {"callback_id": 5})]

    if attempts == 1:
        with pytest.raises((ServerError, ConnectionFailed)):
            await use(client)
    else:
        await use(client)

    assert len(vibes.seen) == attempts
