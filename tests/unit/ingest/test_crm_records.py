import json
from time import thread_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.crm.records import Record, read_records
from ingest.crm.refusals import CannotTakeError

JSON, LINES = "application/json", "application/x-ndjson"
MEBIBYTE = 1024 * 1024

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('{}[]",\\ a', max_size=4), inner, max_size=4),
    max_leaves=12,
)


def found(body: bytes, content_type: str = JSON) -> list[Record]:
    return [record for record in read_records(body, content_type) if record is not None]


def values(body: bytes, content_type: str = JSON) -> list[Any]:
    """What was read; of a record that cannot be read, why."""
    return [record.problem.reason if record.problem else record.value for record in found(body, content_type)]


def refusal(body: bytes, content_type: str = JSON) -> str:
    with pytest.raises(CannotTakeError) as caught:
        found(body, content_type)
    assert caught.value.status == 400
    return caught.value.reason


@given(st.lists(json_values), st.sampled_from([None, 1]), st.booleans())
def test_an_array_has_the_elements_json_says_it_has(records: list[Any], indent: int | None, ascii_only: bool) -> None:
    body = json.dumps(records, indent=indent, ensure_ascii=ascii_only).encode()
    assert values(body) == records


@given(st.lists(json_values), st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n\t"]))
def test_lines_are_one_record_each(records: list[Any], end: bytes) -> None:
    body = b"x" if not records else b"".join(json.dumps(record).encode() + end for record in records)
    assert values(body, LINES) == (records or ["not_json"])


@given(st.dictionaries(st.text(max_size=5), json_values), st.sampled_from([None, 0, 2]))
def test_one_object_is_one_record_however_it_is_laid_out(record: dict[str, Any], indent: int | None) -> None:
    assert values(json.dumps(record, indent=indent).encode()) == [record]


@given(st.lists(st.dictionaries(st.text(max_size=5), json_values, max_size=3), min_size=2, max_size=6))
def test_several_objects_are_lines_whatever_the_content_type_says(records: list[Any]) -> None:
    body = "\n".join(json.dumps(record) for record in records).encode()
    assert values(body, "text/plain") == records


@given(st.binary(max_size=50) | st.text('{}[]",\\ \n0a:').map(str.encode))
def test_any_bytes_are_records_or_a_refusal_and_agree_with_a_json_parser(body: bytes) -> None:
    try:
        read = values(body)
    except CannotTakeError:
        return
    try:
        document = json.loads(body)
    except ValueError:
        assert body.lstrip().startswith(b"{")
        assert len(read) > 1, "only lines can be read though the whole is no JSON"
    else:
        assert read == (document if isinstance(document, list) else [document])


@pytest.mark.parametrize("body", [b"", b" \n ", b"\xef\xbb\xbf\n"])
def test_nothing_is_no_record(body: bytes) -> None:
    assert refusal(body) == refusal(body, LINES) == "empty"


@pytest.mark.parametrize("body", [b"[]", b" [ ] ", b"\xef\xbb\xbf[\n]\n"])
def test_an_empty_array_has_no_records(body: bytes) -> None:
    assert values(body) == []


@pytest.mark.parametrize(
    "body",
    [
        b"[",
        b"[{}",
        b"[{},",
        b"[{},]",
        b"[,{}]",
        b"[{} {}]",
        b"[{}]]",
        b"[{}] {}",
        b"[}",
        b'["',
        b'[{"a": "]',
        b'[{"a": 1]]',
        b"[{a: 1}]",
        b"[1, two]",
        b'["a"b]',
        b"{",
        b'{"a": 1}}',
        b"{} {}",
        b"a,b\n1,2\n",
    ],
)
def test_what_is_not_json_is_refused_as_a_whole(body: bytes) -> None:
    assert refusal(body) == "not_json"


@pytest.mark.parametrize("body", [b'{"a": "\xff"}', b'[{"a": 1}, {"a": "\xfc"}]', '{"a": 1}'.encode("utf-16")])
def test_a_wrong_encoding_is_named(body: bytes) -> None:
    assert refusal(body) == "not_utf8"


def test_a_bad_line_does_no_harm_to_its_neighbours() -> None:
    assert values(b'{"a":1}\n{"a":\n"\xff"\n[]\n{"a":2}', JSON) == [{"a": 1}, "not_json", "not_utf8", [], {"a": 2}]


def test_a_bad_first_line_is_no_reason_to_take_lines_for_something_else() -> None:
    assert values(b'{bad}\n{"a":1}') == ["not_json", {"a": 1}]


class TestLargeRecords:
    """Blanks and escapes do not count against a record, up to a point."""

    text = '{"a": "%s"}' % ("\\u00fc" * 20_000)
    large = b'{"a": "' + b"x" * 300_000 + b'"}'

    def test_a_record_is_not_measured_by_its_escapes(self) -> None:
        assert values(f"[{self.text}]".encode()) == [json.loads(self.text)]

    def test_one_that_is_too_large_is_refused_alone(self) -> None:
        assert values(b"[{}," + self.large + b",{}]") == [{}, "too_large", {}]
        assert values(b"{}\n" + self.large + b"\n{}") == [{}, "too_large", {}]
        assert values(self.large) == ["too_large"]
        assert values(b"[[" + b"{}," * 100_000 + b"{}]]") == ["too_large"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"{}," * (5 * MEBIBYTE) + b"{}]",
        b"[[" + b"[]," * (5 * MEBIBYTE) + b"[]]]",
        b"[" * (16 * MEBIBYTE),
        b'["' + b"\\\\" * (8 * MEBIBYTE),
        b'[{"' + b"x" * (16 * MEBIBYTE),
        b"{" + b" " * (16 * MEBIBYTE),
        b"{}" + b"\n" * (16 * MEBIBYTE),
        b"{}\n" * (5 * MEBIBYTE),
        b'{"":' * (4 * MEBIBYTE),
        b"1" * (16 * MEBIBYTE),
    ],
    ids=["records", "element", "depth", "escapes", "open-string", "blanks", "newlines", "lines", "objects", "number"],
)
def test_no_step_takes_long_whatever_the_body_is(body: bytes) -> None:
    longest = 0.0
    records = read_records(body, JSON)
    for _ in range(300):
        began = thread_time()
        try:
            next(records)
        except (StopIteration, CannotTakeError):
            break
        finally:
            longest = max(longest, thread_time() - began)
    assert longest < 0.5, "a callback would wait as long"
