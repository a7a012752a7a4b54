"""Bodies as nobody should send them, made from the documented ones. Pure: the same Random gives the same bodies."""

import gzip
import json
import zlib
from copy import deepcopy
from random import Random
from typing import Any

from tests.support import bodies

MAX_BODY_BYTES = 1024 * 1024
"""Ingest's limit, unless it is set otherwise."""

_DOCUMENTED = tuple(bodies.documented_bodies())
_ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "\U0001f600" * 40,
    "\u202e\u0000\ufeff",
    "'; DROP TABLE persons; --",
    "%s %d {0} $1",
    "-infinity",
    "infinity",
    "NaN",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "2024-02-30T25:61:61Z",
    "2024-01-01T00:00:00.123456789012Z",
    "2024-01-01",
    "+1999999999",
    "+" + "9" * 40,
    "٣٤٥٦٧٨٩",
    "e" * 3_000,
    "x" * 70_000,
)
_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    0.1,
    1e308,
    -5e-324,
    2**53 + 1,
    2**63,
    2**64 + 1,
    10**40,
    -(10**400),
    [],
    {},
    [[]],
    [None],
    {"": {"": {"": None}}},
    {"id": {"id": "x"}},
    {"\x00": "\x00"},
)
_NAMES = (
    "event_id",
    "event_type",
    "callback_type",
    "event_date",
    "person",
    "subscription",
    "participant",
    "delivery_attempt",
    "custom_fields",
    "updated_at",
    "opt_in_date",
    "opt_out_date",
    "id",
    "person_key",
    "mobile_phone",
    "mdn",
    "event_processed",
    "",
    "\x00",
    "__proto__",
)
_LITERALS = (b"1e400", b"-1e-400", b"1E131073", b"NaN", b"Infinity", b"0123", b"9" * 5_000, b'"\\u0000"', b'"\\ud800"')
_DEPTHS = (10, 130, 900, 1_030, 5_000, 100_000)


def documented(random: Random) -> bytes:
    """Return a documented body as it is, or with an id of its own, so that it is no duplicate."""
    body = random.choice(_DOCUMENTED)
    return body if random.random() < 0.1 else _encode(random, _with_own_id(random, json.loads(body)))


def mutated(random: Random) -> bytes:
    """Return a documented body in which some values are not what they should be. Nearly always JSON still."""
    document = json.loads(random.choice(_DOCUMENTED))
    if random.random() < 0.9:
        _with_own_id(random, document)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        _mutate(random, document)
    body = _encode(random, document)
    if random.random() < 0.1:
        body = body.replace(b'"2017', random.choice(_LITERALS) + b', "', 1)
    if random.random() < 0.05:
        body = body[:-1] + b"," + random.choice(_DOCUMENTED)[1:]  # each name twice
    return body


def scrambled(random: Random) -> bytes:
    """Return a documented body with some of its bytes changed, gone, or there twice."""
    return scramble(random, random.choice(_DOCUMENTED))


def scramble(random: Random, data: bytes) -> bytes:
    """Return bytes with some of them changed, gone, or there twice."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        at = random.randrange(len(changed) + 1)
        match random.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                del changed[at : at + random.randrange(1, 12)]
            case 2:
                changed[at:at] = changed[max(0, at - random.randrange(1, 40)) : at]
            case 3:
                changed[at:at] = random.choice((b"\r\n", b"\x00", b"\n", b'"', b"{", b"}", b"\xff", b":", b" ", b"\r"))
            case _:
                changed[at : at + 1] = bytes([(changed[at] if at < len(changed) else 0) ^ 1 << random.randrange(8)])
    return bytes(changed)


def odd(random: Random) -> bytes:
    """Return what is no body of Vibes' at all."""
    match random.randrange(9):
        case 0:
            return random.randbytes(random.randrange(2_000))
        case 1:
            depth = random.choice(_DEPTHS)
            opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
            return opening * depth + random.choice((b"", b"1")) + closing * random.choice((0, depth))
        case 2:
            return random.choice(
                (b"", b" ", b"\n\n", b"\x00", b"null", b"17", b'"text"', b"[]", b"{}", b"\xef\xbb\xbf")
            )
        case 3:
            return json.dumps(json.loads(random.choice(_DOCUMENTED))).encode(
                random.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-le", "cp1252"))
            )
        case 4:
            return b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"
        case 5:
            return b'{"callback_type":"person_updated","person":' + random.choice(_LITERALS) + b"}"
        case 6:
            return b"a=b&c=%00" * random.randrange(1, 50)
        case 7:
            return b"[" + b",".join(random.choices(_DOCUMENTED, k=3)) + b"]"
        case _:
            return b"\n".join(random.choices(_DOCUMENTED, k=3))


def any_body(random: Random) -> bytes:
    """Return a body of any of these kinds."""
    kind = random.choices((documented, mutated, scrambled, odd), (3, 5, 2, 1))[0]
    return kind(random)[:MAX_BODY_BYTES]


def encoded(random: Random) -> tuple[str, bytes]:
    """Return a Content-Encoding and a body that has it, or only says so."""
    body = any_body(random)
    match random.randrange(8):
        case 0 | 1:
            return random.choice(("gzip", "GZIP", "x-gzip", " gzip ")), gzip.compress(body, 1)
        case 2:
            return "deflate", zlib.compress(body, 1)
        case 3:
            return "gzip", scramble(random, gzip.compress(body, 1))
        case 4:
            return random.choice(("br", "zstd", "identity", "", "gzip, gzip", "compress", "\x7f", "g\xc3\xbczip")), body
        case 5:
            return random.choice(("gzip", "deflate")), body
        case 6:
            return "gzip", gzip.compress(body, 1) + gzip.compress(body, 1)
        case _:
            return "gzip", gzip.compress(b" " * random.choice((100_000, 2_000_000, 20_000_000)), 9)


def crm_records(random: Random) -> bytes:
    """Return a body of changes of the CRM, more or less."""
    records = [_crm_record(random) for _ in range(random.choice((1, 1, 2, 20)))]
    match random.randrange(6):
        case 0:
            body = json.dumps(records[0]).encode()
        case 1 | 2:
            body = json.dumps(records).encode()
        case 3 | 4:
            body = b"\n".join(json.dumps(record).encode() for record in records)
        case _:
            body = odd(random)
    return scramble(random, body) if random.random() < 0.3 else body


def _crm_record(random: Random) -> dict[str, Any]:
    record: dict[str, Any] = {
        "external_person_id": f"crm-{random.randrange(10**9)}",
        "mobile_phone": {"mdn": f"+1555{random.randrange(10**7):07}"},
        "custom_fields": {"first_name": "Ann", "zip": "60601"},
        "updated_at": "2024-01-01T00:00:00Z",
    }
    if random.random() < 0.6:
        _mutate(random, record)
    return record


def _with_own_id(random: Random, document: dict[str, Any]) -> dict[str, Any]:
    document["event_id"] = f"abuse-{random.getrandbits(64):016x}"
    return document


def _encode(random: Random, document: Any) -> bytes:
    # Python writes a lone surrogate as an escape, or not at all.
    return json.dumps(document, indent=random.choice((None, None, None, 1))).encode()


def _mutate(random: Random, document: dict[str, Any]) -> None:
    """Change one value, or one name, somewhere in the document."""
    holder = random.choice(_holders(document))
    name = random.choice(list(holder)) if holder and random.random() < 0.8 else random.choice(_NAMES)
    match random.randrange(7):
        case 0:
            holder.pop(name, None)
        case 1:
            holder[random.choice(_NAMES)] = deepcopy(holder.get(name))
        case 2:
            holder[name] = _deep(random.choice(_DEPTHS[:2]))
        case 3:
            holder[name] = deepcopy(random.choice(_ODD_VALUES))
        case 4:
            # Cannot be compressed: an index of PostgreSQL takes a value of up to 2,700 bytes.
            holder[name] = random.randbytes(random.choice((20, 1_400, 10_000))).hex()
        case _:
            holder[name] = random.choice(_ODD_TEXTS)


def _holders(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the document and every object in it."""
    found = [value]
    for item in value.values():
        if isinstance(item, dict):
            found += _holders(item)
    return found


def _deep(depth: int) -> Any:
    value: Any = None
    for _ in range(depth):
        value = {"a": value}
    return value
