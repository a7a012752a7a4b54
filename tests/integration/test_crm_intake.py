"""What POST /crm/persons answers to whom, and what is in the queue then."""

import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aio_pika
import pytest
from structlog.testing import capture_logs

from ingest.crm.verdicts import Verdicts
from schemas.crm_message import CONTENT_TYPE
from tests.support.crm_intake import (
    CRM_COMPANIES,
    PERSON,
    SECOND_TOKEN,
    TOKEN,
    persons,
    post_changes,
    read_changes,
    read_crm_messages,
    told,
)
from tests.support.ingest import STRANGER, VIBES, Ingest, ingest_here, read_raw

LINES = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}
UNCONFIGURED = "vibes_ingest_unconfigured_endpoint_total"


@pytest.fixture
def amqp_url(emptied_amqp_url: str) -> str:
    return emptied_amqp_url


@pytest.fixture
async def ingest(amqp_url: str) -> AsyncIterator[Ingest]:
    async with ingest_here(amqp_url, companies=CRM_COMPANIES) as running:
        yield running


def as_lines(records: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


class TestTaken:
    async def test_one_object_is_in_the_queue_as_it_was_sent_when_it_is_answered(
        self, ingest: Ingest, amqp_url: str
    ) -> None:
        before = datetime.now(UTC)
        answer = await post_changes(ingest, PERSON)
        [message] = await read_crm_messages(amqp_url, ingest)
        [change] = message.changes

        assert answer.status == 202
        assert told(answer) == {
            "accepted": 1,
            "refused": 0,
            "results": [{"index": 0, "external_person_id": "Zoë/42 %41 ünï", "status": "accepted"}],
        }
        assert (message.company_key, message.bulk) == ("acme", False)
        assert before <= message.received_at <= datetime.now(UTC)
        assert change.external_person_id == "Zoë/42 %41 ünï"
        assert change.updated_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
        assert change.fields == {
            "mdn": "+13125550100",
            "carrier_code": None,
            "custom_fields.favourite/colour": "grün",
            "custom_fields.score": 7,
        }

    @pytest.mark.parametrize(
        ("body", "headers"),
        [
            (json.dumps(persons(3), indent=2).encode(), JSON),
            (as_lines(persons(3)), LINES),
            (as_lines(persons(3)), {"Content-Type": "application/jsonl; charset=utf-8"}),
            (as_lines(persons(3)), JSON),
            (as_lines(persons(3)).replace(b"\n", b"\r\n\r\n"), {"Content-Type": "application/x-www-form-urlencoded"}),
            (b"\xef\xbb\xbf" + as_lines(persons(3)).rstrip(), LINES),
            (b"\xef\xbb\xbf" + json.dumps(persons(3)).encode(), JSON),
            (gzip.compress(json.dumps(persons(3)).encode(), mtime=0), {"Content-Encoding": "gzip"}),
            (
                gzip.compress(b"[", mtime=0) + gzip.compress(json.dumps(persons(3)).encode()[1:], mtime=0),
                {"Content-Encoding": "GZIP"},
            ),
        ],
        ids=["array", "lines", "jsonl", "lines-by-content", "crlf", "bom-lines", "bom-array", "gzip", "two-members"],
    )
    async def test_several_records_are_taken_in_their_order(
        self, ingest: Ingest, amqp_url: str, body: bytes, headers: dict[str, str]
    ) -> None:
        answer = await post_changes(ingest, body, headers=headers)
        assert (answer.status, told(answer)["accepted"]) == (202, 3)
        assert [change.external_person_id for change in await read_changes(amqp_url, ingest)] == ["p0", "p1", "p2"]

    async def test_an_object_over_several_lines_is_one_record(self, ingest: Ingest) -> None:
        answer = await post_changes(ingest, json.dumps(PERSON, indent=1).encode())
        assert told(answer)["accepted"] == 1

    async def test_a_body_in_chunks_is_taken(self, ingest: Ingest) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield b'[{"external_person_id": "a"},'
            yield b'{"external_person_id": "b"}]'

        assert told(await post_changes(ingest, pieces()))["accepted"] == 2

    async def test_two_changes_of_one_person_are_both_kept_the_last_as_the_newest(
        self, ingest: Ingest, amqp_url: str
    ) -> None:
        same = [{"external_person_id": "a", "carrier_code": code} for code in ("1", "2", "3")]
        assert told(await post_changes(ingest, same))["accepted"] == 3
        changes = await read_changes(amqp_url, ingest)
        assert [change.fields["carrier_code"] for change in changes] == ["1", "2", "3"]
        assert changes[0].updated_at < changes[1].updated_at < changes[2].updated_at

    @pytest.mark.parametrize(("query", "bulk"), [("", False), ("?bulk=true", True), ("?bulk=false", False)])
    async def test_an_import_says_so(self, ingest: Ingest, amqp_url: str, query: str, bulk: bool) -> None:
        await post_changes(ingest, PERSON, query=query)
        assert [message.bulk for message in await read_crm_messages(amqp_url, ingest)] == [bulk]

    async def test_a_slash_at_the_end_changes_nothing(self, ingest: Ingest) -> None:
        assert (await post_changes(ingest, PERSON, query="/?bulk=true")).status == 202

    async def test_an_empty_array_has_nothing_to_refuse(self, ingest: Ingest, amqp_url: str) -> None:
        answer = await post_changes(ingest, [])
        assert (answer.status, told(answer)) == (202, {"accepted": 0, "refused": 0, "results": []})
        assert await read_crm_messages(amqp_url, ingest) == []

    async def test_the_most_records_a_request_may_have_go_into_messages_of_bounded_size(
        self, ingest: Ingest, amqp_url: str
    ) -> None:
        answer = await post_changes(ingest, persons(10_000), query="?results=refused")
        messages = await read_crm_messages(amqp_url, ingest)
        assert (answer.status, told(answer)) == (202, {"accepted": 10_000, "refused": 0, "results": []})
        assert [len(message.changes) for message in messages] == [500] * 20
        ids = [change.external_person_id for message in messages for change in message.changes]
        assert ids == [person["external_person_id"] for person in persons(10_000)]

    async def test_large_records_go_into_messages_of_at_most_a_mebibyte(self, ingest: Ingest, amqp_url: str) -> None:
        answer = await post_changes(ingest, persons(200, custom_fields={"notes": "ö" * 9_000}))
        raw = await read_raw(amqp_url, ingest.topology, ingest.topology.crm_changes)
        assert told(answer)["accepted"] == 200
        assert len(raw) > 1
        assert max(len(message.body) for message in raw) <= 1024 * 1024

    async def test_messages_survive_a_restart_of_the_broker(self, ingest: Ingest, amqp_url: str) -> None:
        await post_changes(ingest, persons(1001))
        raw = await read_raw(amqp_url, ingest.topology, ingest.topology.crm_changes)
        assert {message.delivery_mode for message in raw} == {aio_pika.DeliveryMode.PERSISTENT}
        assert {message.content_type for message in raw} == {CONTENT_TYPE}
        assert len({message.message_id for message in raw}) == len(raw) == 3


class TestRecordsRefused:
    async def test_what_is_wrong_is_told_record_by_record_and_the_rest_is_taken(
        self, ingest: Ingest, amqp_url: str
    ) -> None:
        body = [PERSON, {"mdn": "+13125550100"}, 17, {"external_person_id": "x", "mdn": "nobody"}, *persons(1)]
        answer = await post_changes(ingest, body)
        result = told(answer)

        assert answer.status == 202
        assert (result["accepted"], result["refused"]) == (2, 3)
        assert [item["index"] for item in result["results"]] == [0, 1, 2, 3, 4]
        assert [item.get("reason") for item in result["results"]] == [
            None,
            "no_external_person_id",
            "not_an_object",
            "invalid_mdn",
            None,
        ]
        assert result["results"][3]["external_person_id"] == "x"
        assert "nobody" not in answer.body.decode()
        assert len(await read_changes(amqp_url, ingest)) == 2

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b'{"external_person_id": "cut', "not_json"),
            (b'{"external_person_id": "M\xfcller"}', "not_utf8"),
            (b'[{"external_person_id": "a"}]', "not_an_object"),
            (b"null", "not_an_object"),
            (b'{"external_person_id": "a", "custom_fields": {"f": "%s"}}' % (b"x" * 300_000), "too_large"),
        ],
        ids=["cut-off", "latin-1", "array", "null", "too-large"],
    )
    async def test_a_line_that_is_no_record_is_refused_alone(
        self, ingest: Ingest, amqp_url: str, line: bytes, reason: str
    ) -> None:
        good = as_lines(persons(2))
        answer = await post_changes(ingest, good + line + b"\n" + good, headers=LINES)
        assert answer.status == 202
        assert [item.get("reason") for item in told(answer)["results"]] == [None, None, reason, None, None]
        assert len(await read_changes(amqp_url, ingest)) == 4

    async def test_an_element_that_is_too_large_is_refused_alone(self, ingest: Ingest) -> None:
        large = {"external_person_id": "a", "custom_fields": {"f": [{}] * 100_000}}
        answer = await post_changes(ingest, [*persons(1), large, *persons(1)])
        assert answer.status == 202
        assert [item.get("reason") for item in told(answer)["results"]] == [None, "too_large", None]

    @pytest.mark.parametrize("body", [{"mdn": "+13125550100"}, [1, "two", None], b"17", b'"text"'])
    async def test_when_all_are_refused_the_answer_says_so(self, ingest: Ingest, amqp_url: str, body: Any) -> None:
        answer = await post_changes(ingest, body)
        assert answer.status == 422
        assert (told(answer)["accepted"], told(answer)["refused"]) == (0, len(told(answer)["results"]))
        assert await read_crm_messages(amqp_url, ingest) == []

    async def test_an_answer_can_be_of_the_refused_only(self, ingest: Ingest) -> None:
        answer = await post_changes(ingest, [*persons(2), {}], query="?results=refused")
        assert (told(answer)["accepted"], [item["index"] for item in told(answer)["results"]]) == (2, [2])

    async def test_records_are_counted_by_company_and_result(self, ingest: Ingest) -> None:
        names = [
            'vibes_ingest_crm_changes_total{company_key="globex",result="accepted"}',
            'vibes_ingest_crm_changes_total{company_key="globex",result="refused"}',
            'vibes_ingest_crm_requests_total{company_key="globex",status="202"}',
        ]
        before = await ingest.metrics()
        await post_changes(ingest, [*persons(2), {}], token=SECOND_TOKEN)
        after = await ingest.metrics()
        assert [after[name] - before.get(name, 0) for name in names] == [2, 1, 1]


class TestRequestsRefused:
    @pytest.mark.parametrize(
        ("body", "headers", "reason"),
        [
            (b"", {}, "empty"),
            (b" \r\n", LINES, "empty"),
            (b"\xef\xbb\xbf", {}, "empty"),
            (b"external_person_id;mdn\na;+13125550100\n", {}, "not_json"),
            (b'{"external_person_id": "a"', {}, "not_json"),
            (b'[{"external_person_id": "a"}, {"exte', {}, "not_json"),
            (b'[{"external_person_id": "a"}, {bad}]', {}, "not_json"),
            (b'[{"external_person_id": "a"}] more', {}, "not_json"),
            (b'[{"external_person_id": "M\xfcller"}]', {}, "not_utf8"),
            ('{"external_person_id": "a"}'.encode("utf-16"), {}, "not_utf8"),
            (b"[" * 100_000, {}, "not_json"),
            (b"x" * 300_000, {}, "not_json"),
            (b"[]", {"Content-Encoding": "gzip"}, "not_gzip"),
            (gzip.compress(b"[]" * 1000, mtime=0)[:-9], {"Content-Encoding": "gzip"}, "not_gzip"),
        ],
    )
    async def test_what_cannot_be_read_is_refused_as_a_whole(
        self, ingest: Ingest, amqp_url: str, body: bytes, headers: dict[str, str], reason: str
    ) -> None:
        answer = await post_changes(ingest, body, headers=headers)
        assert (answer.status, told(answer)["error"]["reason"]) == (400, reason)
        assert await read_crm_messages(amqp_url, ingest) == []

    async def test_another_encoding_than_gzip_is_not_known(self, ingest: Ingest) -> None:
        answer = await post_changes(ingest, b"[]", headers={"Content-Encoding": "br"})
        assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "gzip")

    @pytest.mark.parametrize("query", ["?bulk=yes", "?bluk=true", "?results=none"])
    async def test_a_misspelt_option_is_not_ignored(self, ingest: Ingest, query: str) -> None:
        answer = await post_changes(ingest, PERSON, query=query)
        assert (answer.status, told(answer)["error"]["reason"]) == (400, "unknown_option")

    @pytest.mark.parametrize("body", [persons(10_001), as_lines(persons(10_001))], ids=["array", "lines"])
    async def test_more_records_than_a_request_may_have_are_to_be_split(
        self, ingest: Ingest, amqp_url: str, body: Any
    ) -> None:
        answer = await post_changes(ingest, body)
        assert (answer.status, told(answer)["error"]["reason"]) == (413, "too_many_records")
        assert "split" in told(answer)["error"]["detail"]
        assert await read_crm_messages(amqp_url, ingest) == []

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
    async def test_with_a_token_other_methods_are_wrong(self, ingest: Ingest, method: str) -> None:
        answer = await post_changes(ingest, b"", method=method)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")

    async def test_a_mistake_of_ours_is_to_be_tried_again(
        self, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_args: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(Verdicts, "add", fail)
        with capture_logs() as lines:
            answer = await post_changes(ingest, PERSON)
        assert (answer.status, told(answer)["error"]["reason"]) == (503, "unexpected_error")
        assert "ingest.unexpected_error" in [line["event"] for line in lines]


class TestBodyLimit:
    @pytest.fixture
    async def ingest(self, amqp_url: str) -> AsyncIterator[Ingest]:
        async with ingest_here(amqp_url, companies=CRM_COMPANIES, ingest_crm_max_body_bytes=65_536) as running:
            yield running

    async def test_a_body_at_the_limit_is_taken(self, ingest: Ingest) -> None:
        assert (await post_changes(ingest, json.dumps(PERSON).encode().ljust(65_536))).status == 202

    @pytest.mark.parametrize(
        ("body", "headers"),
        [(b" " * 65_537, {}), (gzip.compress(b" " * 10_000_000, mtime=0), {"Content-Encoding": "gzip"})],
        ids=["plain", "gzip"],
    )
    async def test_a_larger_one_is_to_be_split(self, ingest: Ingest, body: bytes, headers: dict[str, str]) -> None:
        answer = await post_changes(ingest, body, headers=headers)
        assert (answer.status, told(answer)["error"]["reason"]) == (413, "too_large")
        assert "65536 bytes" in told(answer)["error"]["detail"]
        assert "split" in told(answer)["error"]["detail"]


class TestCallers:
    @pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[1:], TOKEN.upper(), "ÿ", f"{TOKEN} more"])
    async def test_without_a_valid_token_a_stranger_is_asked_for_one(self, ingest: Ingest, token: str | None) -> None:
        answer = await post_changes(ingest, PERSON, token=token)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "Bearer" in told(answer)["error"]["detail"]

    @pytest.mark.parametrize("authorization", [TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}"])
    async def test_another_scheme_is_no_token(self, ingest: Ingest, authorization: str) -> None:
        answer = await post_changes(ingest, PERSON, token=None, headers={"Authorization": authorization})
        assert answer.status == 401

    async def test_the_scheme_is_read_in_either_case(self, ingest: Ingest) -> None:
        answer = await post_changes(ingest, PERSON, token=None, headers={"Authorization": f"bearer  {TOKEN}"})
        assert answer.status == 202

    async def test_the_token_tells_the_company(self, ingest: Ingest, amqp_url: str) -> None:
        await post_changes(ingest, PERSON, token=SECOND_TOKEN)
        assert [message.company_key for message in await read_crm_messages(amqp_url, ingest)] == ["globex"]

    async def test_only_the_token_matters_not_where_it_comes_from(self, ingest: Ingest) -> None:
        assert (await post_changes(ingest, PERSON, source=VIBES)).status == 202

    @pytest.mark.parametrize("token", [None, "wrong"])
    @pytest.mark.parametrize("method", ["POST", "GET"])
    async def test_without_one_vibes_comes_again_and_an_alert_is_raised(
        self, ingest: Ingest, method: str, token: str | None
    ) -> None:
        before = (await ingest.metrics())[UNCONFIGURED]
        answer = await post_changes(ingest, PERSON, method=method, token=token, source=VIBES)
        assert answer.status == 503
        assert "token" in told(answer)["error"]["detail"]
        assert (await ingest.metrics())[UNCONFIGURED] == before + 1

    async def test_a_caller_that_cannot_be_seen_comes_again_too(self, ingest: Ingest) -> None:
        headers = {"X-Forwarded-For": "35.155.139.143"}
        assert (await post_changes(ingest, PERSON, token="wrong", headers=headers)).status == 503
        assert (await post_changes(ingest, PERSON, headers=headers)).status == 202

    @pytest.mark.parametrize("path", ["/crm", "/crm/", "/crm/persons/1", "/CRM/persons", "/crm/person"])
    async def test_other_paths_are_nobodys(self, ingest: Ingest, path: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = await ingest.call("POST", ingest.url + path, b"{}", source=STRANGER, headers=headers)
        assert answer.status == 404

    async def test_a_callback_is_still_a_callback(self, ingest: Ingest) -> None:
        assert (await ingest.post(b"{}")).status == 202

    async def test_where_no_company_has_a_token_there_is_nothing(self, amqp_url: str) -> None:
        async with ingest_here(amqp_url) as ingest:
            assert (await post_changes(ingest, PERSON)).status == 404
            assert (await post_changes(ingest, PERSON, source=VIBES)).status == 503
