"""Takes a body apart into records, each read on its own. Pure.

A body is one JSON object, an array of objects, or one object a line (NDJSON). Only one record at a time becomes a
Python object, and no step takes long, so that a large body holds up neither memory nor the event loop.
"""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import orjson

from ingest.crm.refusals import CannotTakeError, unreadable
from schemas.crm_change import MAX_BYTES
from schemas.errors import MessageError

LINES_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})
"""Content types that say one record a line."""

_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"[ \t\r\n]*+")
_LINE = re.compile(rb"[ \t\r\n]*+([^\n]++)")
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SCALAR = re.compile(_STRING + rb'|[^][{}",\s]++', re.DOTALL)
_TO_BRACKET = re.compile(rb'(?:[^][{}"]++|%b)*+([][{}])' % _STRING, re.DOTALL)
_BRACKETS_A_STEP = 2048
_MAX_TEXT = 4 * MAX_BYTES
"""Of one record, unread: blanks and escapes may make it so much longer than what it says."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a request: its value, or why it alone cannot be read."""

    value: object = None
    problem: MessageError | None = None


def read_records(body: bytes, content_type: str) -> Iterator[Record | None]:
    """Yield the records of a body in their order; None after some work that has not found one yet.

    Lines of NDJSON stand alone: one that is not JSON is a record with a problem. Raises CannotTakeError when the body
    is not JSON; that may come after many records of an array, so none of them may be stored before the end.
    """
    start = _after_blank(body, len(_BOM) if body.startswith(_BOM) else 0)
    if start == len(body):
        raise unreadable("empty", "the body is empty")
    if content_type in LINES_TYPES or _is_lines(body, start):
        yield from _lines(body, start)
    elif _is_at(b"[", body, start):
        yield from _elements(body, start + 1)
    elif _is_at(b"{", body, start) or len(body) <= _MAX_TEXT:
        yield _part(body[start:], "the body")
    else:
        raise unreadable("not_json", "the body is not JSON")


def _is_lines(body: bytes, start: int) -> bool:
    """Tell whether the first line ends with `}` and the next begins with `{`: nothing but NDJSON does."""
    first = _LINE.match(body, start)
    return (
        first is not None
        and first[1].startswith(b"{")
        and first[1].rstrip().endswith(b"}")
        and _is_at(b"{", body, _after_blank(body, first.end()))
    )


def _lines(body: bytes, position: int) -> Iterator[Record]:
    while line := _LINE.match(body, position):
        position = line.end()
        try:
            yield Record(_read(line[1]))
        except MessageError as problem:
            yield Record(problem=problem)


def _elements(body: bytes, position: int) -> Iterator[Record | None]:
    """Yield the elements of the array that begins before `position`."""
    count = 0
    position = _after_blank(body, position)
    while count or not _is_at(b"]", body, position):
        end = yield from _find_end(body, position, count)
        yield _part(body[position:end], f"element {count} of the array")
        count += 1
        position = _after_blank(body, end)
        if _is_at(b"]", body, position):
            break
        if not _is_at(b",", body, position):
            raise _broken_array(count)
        position = _after_blank(body, position + 1)
    if _after_blank(body, position + 1) != len(body):
        raise unreadable("not_json", "something follows the array")


def _find_end(body: bytes, start: int, count: int) -> Generator[None, None, int]:
    """Return where the element ends that starts here. Yields None now and then on the way."""
    if not (_is_at(b"{", body, start) or _is_at(b"[", body, start)):
        scalar = _SCALAR.match(body, start)
        if scalar is None:
            raise _broken_array(count)
        return scalar.end()
    position, depth, brackets = start, 0, 0
    while depth or not brackets:
        bracket = _TO_BRACKET.match(body, position)
        if bracket is None:
            raise _broken_array(count)
        position = bracket.end()
        depth += 1 if bracket[1] in b"{[" else -1
        brackets += 1
        if brackets % _BRACKETS_A_STEP == 0:
            yield None
    return position


def _part(text: bytes, where: str) -> Record:
    """Return a record that is the body, or a part of its array: unless it is JSON, the body is not."""
    try:
        return Record(_read(text))
    except MessageError as problem:
        if problem.reason == "too_large":
            return Record(problem=problem)
        raise unreadable(problem.reason, f"{where}: {problem.detail}") from None


def _read(text: bytes) -> object:
    if len(text) > _MAX_TEXT:
        raise MessageError("too_large", f"more than {MAX_BYTES} bytes")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            text.decode()
        except UnicodeDecodeError:
            raise MessageError("not_utf8", "not UTF-8") from None
        raise MessageError("not_json", "not JSON") from None


def _broken_array(count: int) -> CannotTakeError:
    return unreadable("not_json", f"the array is broken, or cut off, at element {count}")


def _after_blank(body: bytes, position: int) -> int:
    blank = _BLANK.match(body, position)
    return blank.end() if blank else position


def _is_at(character: bytes, body: bytes, position: int) -> bool:
    return body.startswith(character, position)
