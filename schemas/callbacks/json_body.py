"""From the bytes of a callback to JSON, keeping what a fast parser would lose."""

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID, SafeUUID

import orjson

from schemas.errors import MessageError

_BOM = b"\xef\xbb\xbf"
_NUL_ESCAPE = b"\\u0000"
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER = b"0" * 18
_KINDS = {list: "an array", str: "a string", int: "a number", float: "a number", bool: "a boolean", type(None): "null"}
_UNKNOWN = SafeUUID.unknown
_MAX_INFLATED_BYTES = 16 * 1024 * 1024
_MAX_INFLATION = 32
_ALWAYS_INFLATED_BYTES = 64 * 1024
"""So much, however small it was packed. Callbacks say a kilobyte or two, which packs to a third or so. Without a bound
on the inflation a message of 1 MiB, which is full of bodies of 15 KiB, would take gigabytes once it is read."""


class JsonBody(NamedTuple):
    """A body that is a JSON object."""

    object: dict[str, Any]
    """What it says; NUL characters replaced, numbers of any length exact."""
    text: str
    """JSON text that PostgreSQL takes as jsonb."""
    exact: bool
    """Whether `text` is what was received, but for white space."""
    hash: UUID
    """Equal for bodies that say the same: in canonical form, and without `delivery_attempt`, which changes when Vibes
    delivers the same event again."""


def read_json_body(body: bytes, content_encoding: str | None = None) -> JsonBody:
    """Read a callback's body.

    Raises MessageError with reason `empty`, `bad_encoding`, `not_utf8`, `not_json`, `not_an_object` or `too_deep`.
    """
    if content_encoding is not None:
        body = _inflate(body, content_encoding)
    body = body.removeprefix(_BOM)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MessageError("not_utf8", f"byte {error.start}") from None
    value = _parse(body)
    if not isinstance(value, dict):
        raise MessageError("not_an_object", f"it is {_KINDS[type(value)]}")
    exact = _NUL_ESCAPE not in body
    if not exact:
        value = _without_nul(value)
        text = canonical_json(value).decode()
    said = value
    if "delivery_attempt" in value:
        said = value.copy()
        del said["delivery_attempt"]
    return JsonBody(value, text, exact, short_hash(canonical_json(said)))


def _parse(body: bytes) -> Any:
    """Parse with orjson, unless a number may be longer than it keeps: an id written as a number must stay whole."""
    try:
        # Ten times as fast as a regular expression, which looks at each byte in turn.
        if _LONG_NUMBER in body.translate(_DIGITS_AS_ZEROS):
            orjson.loads(body)  # the stricter of the two decides what is JSON, and refuses what nests too deep
            return json.loads(body)
        return orjson.loads(body)
    except (ValueError, RecursionError) as error:
        if not body.strip():
            raise MessageError("empty") from None
        raise MessageError(
            "not_json", f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        ) from None


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """Return JSON that is equal for equal values. Raises MessageError `too_deep`."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # numbers longer, or nesting deeper, than orjson writes
        try:
            return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        except RecursionError:
            raise MessageError("too_deep") from None


def short_hash(data: bytes) -> UUID:
    """Return the first 16 bytes of the SHA-256, in the form PostgreSQL stores most compactly."""
    # What UUID(bytes=...) does, but for its checks, which took longer than the hash: each callback needs two or three.
    short = UUID.__new__(UUID)
    object.__setattr__(short, "int", int.from_bytes(hashlib.sha256(data).digest()[:16], "big"))
    object.__setattr__(short, "is_safe", _UNKNOWN)
    return short


def _without_nul(value: Any) -> Any:
    """PostgreSQL holds no NUL character in text or jsonb; U+FFFD stands in for it."""
    try:
        if isinstance(value, str):
            return value.replace("\x00", "\ufffd")
        if isinstance(value, list):
            return [_without_nul(item) for item in value]
        if isinstance(value, dict):
            return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    except RecursionError:
        raise MessageError("too_deep") from None
    return value


def _inflate(body: bytes, content_encoding: str) -> bytes:
    """Undo gzip or deflate, up to a bound: a small body must not become a large one."""
    most = min(_MAX_INFLATED_BYTES, max(_ALWAYS_INFLATED_BYTES, _MAX_INFLATION * len(body)))
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    try:
        if encoding in ("gzip", "x-gzip"):
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
                inflated = stream.read(most + 1)
        elif encoding == "deflate":
            inflated = zlib.decompressobj().decompress(body, most + 1)
        else:
            raise MessageError("bad_encoding", "neither gzip nor deflate")
    except (OSError, EOFError, zlib.error) as error:
        raise MessageError("bad_encoding", type(error).__name__) from None
    if len(inflated) > most:
        raise MessageError("bad_encoding", f"inflates to more than {most} bytes")
    return inflated
