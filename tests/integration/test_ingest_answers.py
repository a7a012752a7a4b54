"""What ingest answers to whom, with the broker up."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from aiohttp import FormData
from structlog.testing import capture_logs

from ingest.publisher import Publisher
from tests.support.ingest import KEY, STRANGER, Ingest, by_receipt, eventually, ingest_here, read_messages

LIMIT = 1024 * 1024


@pytest.fixture
def amqp_url(emptied_amqp_url: str) -> str:
    return emptied_amqp_url


@pytest.fixture
async def ingest(amqp_url: str) -> AsyncIterator[Ingest]:
    async with ingest_here(amqp_url) as running:
        yield running


class TestAccepted:
    async def test_a_callback_is_in_the_queue_byte_for_byte_when_it_is_answered(
        self, ingest: Ingest, amqp_url: str
    ) -> None:
        body = b'\xef\xbb\xbf {"event_id" :"A1",\r\n"callback_type":"person_added", "n": 1e5, "n": 2}\n\n'
        headers = {"Content-Type": "text/json; charset=UTF-8", "User-Agent": "Vibes/1", "X-Vibes-Thing": "7"}
        answer = await ingest.post(body, headers=headers)
        stored = by_receipt(await read_messages(amqp_url, ingest.topology))

        assert (answer.status, answer.body) == (202, b"")
        assert stored[answer.receipt].body == body
        assert stored[answer.receipt].source_ip == "127.0.0.1"
        assert stored[answer.receipt].method == "POST"
        assert stored[answer.receipt].endpoint == "main"
        assert stored[answer.receipt].headers == {
            "content-type": "text/json; charset=UTF-8",
            "user-agent": "Vibes/1",
            "x-vibes-thing": "7",
        }

    async def test_put_means_the_same_as_post(self, ingest: Ingest, amqp_url: str) -> None:
        answer = await ingest.call("PUT", ingest.callback_url(), b"{}")
        stored = by_receipt(await read_messages(amqp_url, ingest.topology))
        assert answer.status == 202
        assert stored[answer.receipt].method == "PUT"

    @pytest.mark.parametrize(
        "content_type",
        ["application/json", "text/json", "APPLICATION/JSON; Charset=utf-8", "application/xml", "", "no type at all"],
    )
    async def test_any_content_type_is_taken(self, ingest: Ingest, content_type: str) -> None:
        assert (await ingest.post(b"{}", headers={"Content-Type": content_type})).status == 202

    async def test_a_missing_content_type_is_taken(self, ingest: Ingest) -> None:
        assert (await ingest.post(b"{}", skip_auto_headers=["Content-Type"])).status == 202

    async def test_a_form_is_taken_as_it_is(self, ingest: Ingest) -> None:
        assert (await ingest.post(FormData({"a": "b"}))).status == 202

    @pytest.mark.parametrize("path", ["/", "?a=b", "/?a=b"])
    async def test_a_slash_or_a_query_at_the_end_changes_nothing(self, ingest: Ingest, path: str) -> None:
        assert (await ingest.call("POST", ingest.callback_url() + path, b"{}")).status == 202

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" ",
            b"{",
            b"[1]",
            b"17",
            b"null",
            b"\x00",
            b"\xff\xfe",
            b'{"a": "\\u0000 \\ud800"}',
            b'{"a": NaN}',
            b"[" * 100_000,
            b'{"event_id": 5, "callback_type": ["x"]}',
            b"9" * 100_000,
        ],
    )
    async def test_what_cannot_be_read_is_taken_too(self, ingest: Ingest, amqp_url: str, body: bytes) -> None:
        answer = await ingest.post(body)
        assert answer.status == 202
        assert by_receipt(await read_messages(amqp_url, ingest.topology))[answer.receipt].body == body

    async def test_what_cannot_be_read_is_counted(self, ingest: Ingest) -> None:
        name = 'vibes_ingest_unreadable_total{company_key="acme",reason="not_an_object"}'
        before = (await ingest.metrics()).get(name, 0)
        await ingest.post(b"[]")
        assert (await ingest.metrics())[name] == before + 1

    async def test_a_compressed_body_stays_compressed(self, ingest: Ingest, amqp_url: str) -> None:
        body = gzip.compress(b'{"event_id": "A1"}')
        answer = await ingest.post(body, headers={"Content-Encoding": "gzip"})
        stored = by_receipt(await read_messages(amqp_url, ingest.topology))[answer.receipt]
        assert stored.body == body
        assert stored.headers["content-encoding"] == "gzip"

    async def test_a_body_that_only_claims_to_be_compressed_is_taken(self, ingest: Ingest, amqp_url: str) -> None:
        answer = await ingest.post(b"{}", headers={"Content-Encoding": "gzip"}, compress=None)
        assert by_receipt(await read_messages(amqp_url, ingest.topology))[answer.receipt].body == b"{}"

    async def test_a_body_in_chunks_is_taken(self, ingest: Ingest, amqp_url: str) -> None:
        answer = await ingest.post(pieces(b"{", b'"a"', b":1}"))
        assert by_receipt(await read_messages(amqp_url, ingest.topology))[answer.receipt].body == b'{"a":1}'

    async def test_a_client_that_waits_for_100_continue_gets_it(self, ingest: Ingest) -> None:
        assert (await ingest.post(b"{}" * 1000, expect100=True)).status == 202

    async def test_an_unknown_expectation_is_no_reason_to_refuse(self, ingest: Ingest) -> None:
        assert (await ingest.post(b"{}", headers={"Expect": "miracles"})).status == 202

    async def test_http_1_0_is_taken(self, ingest: Ingest) -> None:
        assert (await talk(ingest, request("Content-Length: 2", body=b"{}", version="1.0"))).startswith(b"HTTP/1.0 202")

    async def test_an_offer_to_speak_http_2_is_ignored(self, ingest: Ingest) -> None:
        headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
        assert (await ingest.post(b"{}", headers=headers)).status == 202

    async def test_requests_in_a_row_on_one_connection_are_answered_in_a_row(self, ingest: Ingest) -> None:
        some = request("Content-Length: 2", body=b"{}") * 5
        last = request("Content-Length: 2", "Connection: close", body=b"{}")
        assert (await talk(ingest, some + last, until=None)).count(b"HTTP/1.1 202") == 6

    async def test_headers_in_no_encoding_at_all_do_no_harm(self, ingest: Ingest, amqp_url: str) -> None:
        odd = request("Content-Length: 2", "X-Odd: ??", body=b"{}").replace(b"??", b"\xff\xfe")
        assert (await talk(ingest, odd)).startswith(b"HTTP/1.1 202")
        [callback] = by_receipt(await read_messages(amqp_url, ingest.topology)).values()
        assert callback.headers["x-odd"] == "\\udcff\\udcfe"

    async def test_headers_as_large_as_proxies_let_through_are_taken(self, ingest: Ingest) -> None:
        assert (await ingest.post(b"{}", headers={"X-Large": "v" * 60_000})).status == 202


class TestRefused:
    async def test_a_stranger_at_a_known_endpoint_is_forbidden(self, ingest: Ingest) -> None:
        assert (await ingest.post(source=STRANGER)).status == 403

    @pytest.mark.parametrize("path", ["/", "/callbacks/wrong", "/callbacks/", "/metrics", "/%00", "/callbacks/%ff%fe"])
    async def test_a_stranger_anywhere_else_finds_nothing(self, ingest: Ingest, path: str) -> None:
        assert (await ingest.call("POST", ingest.url + path, b"{}", source=STRANGER)).status == 404

    @pytest.mark.parametrize("path", ["/", "/callbacks/wrong", "/healthz"])
    async def test_vibes_at_an_endpoint_that_is_not_configured_comes_again_and_an_alert_is_raised(
        self, ingest: Ingest, path: str
    ) -> None:
        name = "vibes_ingest_unconfigured_endpoint_total"
        before = (await ingest.metrics())[name]
        assert (await ingest.call("POST", ingest.url + path, b"{}")).status == 503
        assert (await ingest.metrics())[name] == before + 1

    @pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH", "OPTIONS"])
    async def test_other_methods_are_wrong(self, ingest: Ingest, method: str) -> None:
        answer = await ingest.call(method, ingest.callback_url())
        assert (answer.status, answer.headers["Allow"]) == (405, "POST, PUT")

    async def test_a_stranger_does_not_learn_which_methods_are_right(self, ingest: Ingest) -> None:
        assert (await ingest.call("GET", ingest.callback_url(), source=STRANGER)).status == 403

    async def test_a_body_at_the_limit_is_taken_and_one_byte_more_is_too_large(self, ingest: Ingest) -> None:
        assert (await ingest.post(BytesIO(b"x" * LIMIT))).status == 202
        assert (await ingest.post(BytesIO(b"x" * (LIMIT + 1)))).status == 413

    async def test_in_chunks_the_limit_is_the_same(self, ingest: Ingest) -> None:
        assert (await ingest.post(pieces(b"x" * LIMIT))).status == 202
        assert (await ingest.post(pieces(b"x" * LIMIT, b"x"))).status == 413

    async def test_a_body_announced_as_too_large_is_refused_before_it_is_sent(self, ingest: Ingest) -> None:
        announced = request(f"Content-Length: {LIMIT + 1}")
        asked = request(f"Content-Length: {LIMIT + 1}", "Expect: 100-continue")
        assert (await talk(ingest, announced)).startswith(b"HTTP/1.1 413")
        assert (await talk(ingest, asked)).startswith(b"HTTP/1.1 413")

    @pytest.mark.parametrize(
        "request_bytes",
        [
            b"NONSENSE\r\n\r\n",
            b"POST /callbacks/secret-key HTTP/9.9\r\n\r\n",
            b"POST /callbacks/secret-key HTTP/1.1\r\nContent-Length: many\r\n\r\n",
            b"POST /callbacks/secret-key HTTP/1.1\r\nX: " + b"v" * 200_000 + b"\r\n\r\n",
            f"POST /callbacks/{KEY} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n".encode(),
        ],
        ids=["no-http", "version", "length", "huge-header", "broken-chunks"],
    )
    async def test_what_is_not_http_is_no_4xx_either_and_is_not_repeated(
        self, ingest: Ingest, request_bytes: bytes, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answer = await talk(ingest, request_bytes)
        shown = caplog.text + "".join(capsys.readouterr())
        assert b" 503 " in answer.partition(b"\r\n")[0]
        assert "secret-key" not in shown + answer.decode()
        assert KEY not in shown


class TestProxies:
    @pytest.fixture
    async def ingest(self, amqp_url: str) -> AsyncIterator[Ingest]:
        """Ingest behind one proxy."""
        async with ingest_here(amqp_url, ingest_trusted_proxies=1) as running:
            yield running

    async def test_the_caller_is_whom_the_proxy_names(self, ingest: Ingest, amqp_url: str) -> None:
        answer = await ingest.post(headers={"X-Forwarded-For": "35.155.139.143"})
        assert answer.status == 202
        stored = by_receipt(await read_messages(amqp_url, ingest.topology))[answer.receipt]
        assert stored.source_ip == "35.155.139.143"
        assert "x-forwarded-for" not in stored.headers

    async def test_a_stranger_stays_one_whatever_it_writes_into_the_header(self, ingest: Ingest) -> None:
        assert (await ingest.post(headers={"X-Forwarded-For": "35.155.139.143, 8.8.8.8"})).status == 403

    async def test_vibes_other_region_comes_again(self, ingest: Ingest) -> None:
        assert (await ingest.post(headers={"X-Forwarded-For": "34.243.232.57"})).status == 503

    async def test_a_caller_the_proxy_hides_comes_again(self, ingest: Ingest) -> None:
        assert (await ingest.post(headers={"X-Forwarded-For": "unknown"})).status == 503


async def test_a_proxy_nobody_counted_costs_no_event(amqp_url: str) -> None:
    async with ingest_here(amqp_url, ingest_trusted_proxies=0) as ingest:
        answer = await ingest.post(source=STRANGER, headers={"X-Forwarded-For": "35.155.139.143"})
        assert answer.status == 503


async def test_a_mistake_of_ours_costs_no_event(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_args: object) -> None:
        raise ZeroDivisionError

    with capture_logs() as lines:
        async with ingest_here(amqp_url) as ingest:
            monkeypatch.setattr(Publisher, "submit", fail)
            assert (await ingest.post()).status == 503
    assert "ingest.unexpected_error" in [line["event"] for line in lines]


class TestBounds:
    async def test_a_slow_body_is_answered_within_the_deadline(self, amqp_url: str) -> None:
        async with ingest_here(amqp_url, ingest_deadline_seconds=0.5) as ingest:
            started = asyncio.get_running_loop().time()
            answer = await talk(ingest, request("Content-Length: 10", body=b"{"))
            assert answer.startswith(b"HTTP/1.1 503")
            assert asyncio.get_running_loop().time() - started <= 0.5

    async def test_more_callbacks_at_a_time_than_allowed_come_again(self, amqp_url: str) -> None:
        async with ingest_here(amqp_url, ingest_max_pending_callbacks=1, ingest_deadline_seconds=1.0) as ingest:
            slow = asyncio.create_task(talk(ingest, request("Content-Length: 10", body=b"{")))
            await eventually(lambda: one_is_under_way(ingest), "the slow request is under way")
            assert (await ingest.post()).status == 503
            assert (await slow).startswith(b"HTTP/1.1 503")
            assert (await ingest.post()).status == 202

    async def test_more_bytes_at_a_time_than_allowed_come_again(self, amqp_url: str) -> None:
        async with ingest_here(amqp_url, ingest_max_pending_bytes=1024) as ingest:
            assert (await ingest.post(b"x" * 1024)).status == 202
            assert (await ingest.post(b"x" * 1025)).status == 503
            assert (await ingest.post(pieces(b"x" * 1000, b"x" * 25))).status == 503
            assert (await ingest.post(b"x" * 1024)).status == 202


class TestAdmin:
    async def test_a_living_and_ready_process_says_so(self, ingest: Ingest) -> None:
        for path in ("/healthz", "/readyz"):
            assert (await ingest.call("GET", ingest.admin_url + path)).status == 200

    async def test_answers_are_counted(self, ingest: Ingest) -> None:
        name = 'vibes_ingest_answers_total{company_key="acme",reason="accepted",status="202"}'
        before = (await ingest.metrics()).get(name, 0)
        await ingest.post()
        after = await ingest.metrics()
        assert after[name] == before + 1
        assert after["vibes_ingest_pending_callbacks"] == after["vibes_ingest_in_flight_requests"] == 0


async def test_callbacks_with_one_event_id_are_different_callbacks(ingest: Ingest, amqp_url: str) -> None:
    kinds = ["subscription_added", "person_updated", "wallet_item_install", "unmatched_message_received"]
    bodies = [json.dumps({"event_id": "AB234SDFD234", "callback_type": kind}).encode() for kind in kinds]
    answers = await asyncio.gather(*(ingest.post(body) for body in bodies))
    stored = by_receipt(await read_messages(amqp_url, ingest.topology))
    assert [stored[answer.receipt].body for answer in answers] == bodies


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def talk(ingest: Ingest, request: bytes, until: bytes | None = b"\r\n\r\n") -> bytes:
    """Send bytes; return what comes back until these bytes, or until the connection closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
    writer.write(request)
    answer = b""
    try:
        async with asyncio.timeout(10):
            while until is None or until not in answer:
                answer += (chunk := await reader.read(65536))
                if not chunk:
                    break
    finally:
        writer.close()
    return answer


async def one_is_under_way(ingest: Ingest) -> bool:
    return (await ingest.metrics())["vibes_ingest_pending_callbacks"] == 1


def request(*headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """Return the bytes of a POST to the first company's endpoint."""
    lines = [f"POST /callbacks/{KEY} HTTP/{version}", "Host: ingest", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
