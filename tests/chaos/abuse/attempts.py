"""What is sent to ingest, byte for byte, and which answers are allowed to it. Pure: the same Random, the same attempt.

Allowed is what the pipeline promises: what could be stored is stored (202); what cannot be read as HTTP is a 503 or a
closed connection, never a 4xx, since it may have been an event; a 4xx is for a wrong method, a body over the limit and
callers that are not Vibes; anything may become a 503 when ingest is short of something; and nothing ever is a 500.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.chaos.abuse import bodies
from tests.chaos.abuse.bodies import MAX_BODY_BYTES

CLOSED = 0
"""Stands among statuses for a connection that was closed without an answer."""
STORED = frozenset({202})
_UNREADABLE = frozenset({503, CLOSED})
_MAYBE_UNREADABLE = STORED | _UNREADABLE


@dataclass(frozen=True, slots=True)
class Place:
    """Where the attempts go."""

    path: str
    """The endpoint's, its key included."""
    crm_token: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One or several requests on one connection."""

    kind: str
    pieces: tuple[bytes, ...]
    """Sent one after the other, with a pause of `pause` seconds in between."""
    allowed: frozenset[int]
    bodies: tuple[bytes, ...] = ()
    """What has to be stored under the receipts, in their order; empty when that cannot be told."""
    answers: int = 1
    """How many are to be waited for; 0: the connection is closed as soon as everything is sent."""
    pause: float = 0.0
    patience: float = 10.0
    """How long an answer may take. Where none need come, no more than that is waited for."""
    reusable: bool = False
    """Whether the connection is fit for another request afterwards."""


Make = Callable[[Random, Place], Attempt]


def make(random: Random, place: Place) -> Attempt:
    """Return an attempt of a kind picked at random."""
    return random.choices(_MAKERS, _WEIGHTS)[0](random, place)


def request(
    place: Place, *headers: str, body: bytes = b"", method: str = "POST", path: str = "", version: str = "1.1"
) -> bytes:
    """Return the bytes of a request with these headers, Host and Content-Length beside them."""
    lines = [f"{method} {path or place.path} HTTP/{version}", "Host: ingest", f"Content-Length: {len(body)}", *headers]
    return _head(lines) + body


def _head(lines: list[str]) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _plain(random: Random, place: Place) -> Attempt:
    """Any body, in a proper request."""
    body = bodies.any_body(random)
    kind = random.choice(("application/json", "text/json; charset=utf-8", "application/json", "text/json"))
    message = request(place, f"Content-Type: {kind}", body=body, method=random.choice(("POST", "PUT")))
    return Attempt("plain", (message,), STORED, (body,), reusable=True)


def _encoded(random: Random, place: Place) -> Attempt:
    """A Content-Encoding, true or not."""
    encoding, body = bodies.encoded(random)
    encoding = encoding.replace("\x7f", "~")
    return Attempt("encoded", (request(place, f"Content-Encoding: {encoding}", body=body),), STORED, (body,))


def _headers(random: Random, place: Place) -> Attempt:
    """Odd headers, but proper ones."""
    body = bodies.documented(random)
    odd = [
        f"Content-Type: {random.choice(_ODD_TYPES)}",
        *(f"X-Odd-{number}: {random.choice(_ODD_HEADERS)}" for number in range(random.choice((1, 5, 60, 110)))),
        random.choice(("Connection: keep-alive", "Connection: close", "connection: Keep-Alive, TE", "Keep-Alive: 5")),
        random.choice(_UPGRADES),
        random.choice(("Expect: 100-continue", "Expect: miracles", "Expect:", "X-None: 0")),
        random.choice(
            ("Cookie: a=b; " + "c" * 8_000, "Range: bytes=0-", "If-None-Match: *", "Authorization: Basic !!")
        ),
    ]
    random.shuffle(odd)
    return Attempt("headers", (request(place, *odd, body=body),), STORED, (body,))


def _chunked(random: Random, place: Place) -> Attempt:
    """A body in chunks, with all that is allowed there."""
    body = bodies.any_body(random)
    parts, at = [], 0
    while at < len(body):
        size = random.choice((1, 7, 100, 4_096, 70_000))
        chunk = body[at : at + size]
        extension = random.choice(("", "", ";a=b", ';a="b;c"', ";" + "e" * 200))
        parts.append(f"{len(chunk):{random.choice(('x', 'X', '08x'))}}{extension}\r\n".encode() + chunk + b"\r\n")
        at += size
        if len(parts) > 200:
            body = body[:at]
    trailer = random.choice((b"", b"", b"X-Trailer: 1\r\n"))
    head = _head([f"POST {place.path} HTTP/1.1", "Host: ingest", "Transfer-Encoding: chunked"])
    message = head + b"".join(parts) + b"0\r\n" + trailer + b"\r\n"
    return Attempt("chunked", _cut(random, message), STORED, (body,))


def _pieces(random: Random, place: Place) -> Attempt:
    """A proper request that comes piece by piece."""
    body = bodies.documented(random)
    message = request(place, body=body)
    pieces = _cut(random, message, most=8)
    return Attempt("pieces", pieces, STORED, (body,), pause=random.choice((0.0, 0.002, 0.02)), reusable=True)


def _expecting(random: Random, place: Place) -> Attempt:
    """A client that waits for 100 Continue, or says so and does not."""
    body = bodies.documented(random)
    message = request(place, random.choice(("Expect: 100-continue", "expect: 100-CONTINUE")), body=body)
    at = len(message) - len(body)
    pause = random.choice((0.0, 0.05))
    return Attempt("expecting", (message[:at], message[at:]), STORED, (body,), pause=pause)


def _pipelined(random: Random, place: Place) -> Attempt:
    """Many requests at once on one connection."""
    many = tuple(bodies.documented(random) for _ in range(random.choice((2, 5, 40, 100))))
    message = b"".join(request(place, body=body) for body in many)
    return Attempt("pipelined", (message,), STORED, many, answers=len(many), reusable=True)


def _large(random: Random, place: Place) -> Attempt:
    """A body at the limit."""
    body = bodies.documented(random)
    body += b" " * (MAX_BODY_BYTES - len(body) - random.choice((0, 1, 300_000)))
    return Attempt("large", (request(place, body=body),), STORED, (body,))


def _too_large(random: Random, place: Place) -> Attempt:
    """A body over the limit: told so, in chunks, or only announced."""
    size = MAX_BODY_BYTES + random.choice((1, 1_000, 500_000))
    refused = frozenset({413, CLOSED})
    match random.randrange(3):
        case 0:
            return Attempt("too_large", (request(place, body=b"x" * size),), refused)
        case 1:
            head = _head([f"POST {place.path} HTTP/1.1", "Host: ingest", "Transfer-Encoding: chunked"])
            chunk = f"{size:x}\r\n".encode() + b"x" * size + b"\r\n0\r\n\r\n"
            return Attempt("too_large", (head, chunk), refused)
        case _:
            announced = random.choice((size, 10**12, 2**63 - 1))
            head = _head([f"POST {place.path} HTTP/1.1", "Host: ingest", f"Content-Length: {announced}"])
            return Attempt("too_large", (head,), refused)


def _broken_framing(random: Random, place: Place) -> Attempt:
    """Requests whose length can be read in two ways, or in none."""
    body = bodies.documented(random)
    start = [f"POST {place.path} HTTP/1.1", "Host: ingest"]
    length = f"Content-Length: {len(body)}"
    lines = random.choice(
        (
            [length, f"Content-Length: {len(body) + 1}"],
            [length, length],
            [f"Content-Length: +{len(body)}"],
            [f"Content-Length: -{len(body)}"],
            [f"Content-Length: {len(body):#x}"],
            [f"Content-Length: {len(body)}, {len(body)}"],
            ["Content-Length: "],
            ["Content-Length: ٣"],
            [f"Content-Length : {len(body)}"],
            [f"Content-Length: {2**64 + len(body)}"],
            [length, "Transfer-Encoding: chunked"],
            ["Transfer-Encoding: chunked", length],
            ["Transfer-Encoding: gzip, chunked"],
            ["Transfer-Encoding: chunked, gzip"],
            ["Transfer-Encoding: xchunked"],
            ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
            ["Transfer-Encoding : chunked"],
            ["Transfer-Encoding:\x0bchunked"],
            [length, "X-Folded: a", " b"],
            [length, "No colon"],
            [length, "X-Nul: \x00"],
            [length, ": no name"],
        )
    )
    content = random.choice((body, b"0\r\n\r\n" + body, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), b"-1\r\n\r\n"))
    return Attempt("broken_framing", (_head([*start, *lines]) + content,), _MAYBE_UNREADABLE, patience=2.5)


def _broken_chunks(random: Random, place: Place) -> Attempt:
    """A body in chunks that are none."""
    head = _head([f"POST {place.path} HTTP/1.1", "Host: ingest", "Transfer-Encoding: chunked"])
    body = random.choice(
        (
            b"zzz\r\n",
            b"-5\r\nhello\r\n0\r\n\r\n",
            b"5\r\nhello",
            b"5\r\nhelloXX0\r\n\r\n",
            b"ffffffffffffffffff\r\n",
            b"5\nhello\n0\n\n",
            b"5;" + b"e" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
            b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n",
            b"0\r\n" + b"X-Trailer: 1\r\n" * 500 + b"\r\n",
            b"\r\n\r\n",
        )
    )
    return Attempt("broken_chunks", _cut(random, head + body), _MAYBE_UNREADABLE, patience=2.5)


def _wrong_method(random: Random, place: Place) -> Attempt:
    """Methods that are known, but not here."""
    method = random.choice(("GET", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "MKCOL"))
    return Attempt("wrong_method", (request(place, body=b"{}", method=method),), frozenset({405}))


def _no_http(random: Random, place: Place) -> Attempt:
    """What is no HTTP of a version, or with a method, that is known."""
    message = random.choice(
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(300),
            b"GET /\r\n\r\n",
            random.randbytes(random.randrange(1, 3_000)) + b"\r\n\r\n",
            b"\r\n" * 2_000,
            b"\x00" * 2_000,
            f"post {place.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode(),
            f"VIBES {place.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode(),
            f"POST {place.path} HTTP/3.7\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode(),
            f"POST {place.path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}".encode(),
            request(place, *["X-Many: 1"] * 300, body=b"{}"),
            request(place, "X-Long: " + "v" * 200_000, body=b"{}"),
            request(place, body=b"{}", path="/" + "p" * 200_000),
            f"CONNECT {place.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
            b"CONNECT ingest:443 HTTP/1.1\r\nHost: ingest:443\r\n\r\n",
            b"POST  HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST http://[ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        )
    )
    return Attempt("no_http", (message,), _UNREADABLE, patience=1.0)


def _path(random: Random, place: Place) -> Attempt:
    """Paths that lead to the endpoint, and paths that nearly do: Vibes has to come again to these."""
    body = bodies.documented(random)
    good = (f"{place.path}/", f"{place.path}?a=b&c", f"{place.path}/?", f"http://ingest{place.path}")
    bad = (
        "/",
        "/callbacks/",
        "/callbacks/wrong",
        f"{place.path}//",
        f"/x{place.path}",
        "/%00",
        "/callbacks/%ff%fe",
        "*",
    )
    if random.random() < 0.5:
        return Attempt("path", (request(place, body=body, path=random.choice(good)),), STORED, (body,))
    return Attempt("path", (request(place, body=body, path=random.choice(bad)),), frozenset({503, CLOSED}))


def _stranger(random: Random, place: Place) -> Attempt:
    """Somebody who is not Vibes, at the endpoint and elsewhere: never stored."""
    body = bodies.documented(random)
    address = random.choice(("8.8.8.8", "35.155.139.143, 8.8.8.8", "2001:4860:4860::8888", "127.0.0.1, 8.8.4.4"))
    path = random.choice((place.path, place.path, "/", "/crm/persons"))
    refused = frozenset({403, 404, 401, CLOSED})
    return Attempt("stranger", (request(place, f"X-Forwarded-For: {address}", body=body, path=path),), refused)


def _hidden(random: Random, place: Place) -> Attempt:
    """Somebody whom the proxy does not show: it may be Vibes."""
    address = random.choice(("unknown", "_hidden", "999.1.1.1", "", ",", "\xff\xfe", "a" * 5_000, "::1%" + "z" * 90))
    message = request(place, f"X-Forwarded-For: {address}", body=b"{}")
    return Attempt("hidden", (message,), frozenset({503}))


def _leaving(random: Random, place: Place) -> Attempt:
    """Somebody who leaves in the middle, or right after the request."""
    message = request(place, body=bodies.documented(random))
    return Attempt("leaving", (message[: random.randrange(1, len(message) + 1)],), frozenset({CLOSED}), answers=0)


def _slow_body(random: Random, place: Place) -> Attempt:
    """A body that comes too slowly: told to come again, in time."""
    message = request(place, body=bodies.documented(random))
    at = message.index(b"\r\n\r\n") + 4
    pieces = (message[:at], *(message[at + n : at + n + 1] for n in range(8)))
    return Attempt("slow_body", pieces, frozenset({503, CLOSED}), pause=0.3)


def _mutated(random: Random, place: Place) -> Attempt:
    """A proper request with some of its bytes changed: anything but a refusal for good or a failure may come of it."""
    message = bodies.scramble(random, request(place, "Content-Type: application/json", body=bodies.documented(random)))
    return Attempt("mutated", _cut(random, message), frozenset({202, 503, 405, 413, CLOSED}), patience=0.4)


def _crm(random: Random, place: Place) -> Attempt:
    """Changes of the CRM, with a token."""
    body = bodies.crm_records(random)
    headers = [f"Authorization: {random.choice(('Bearer', 'bearer'))} {place.crm_token}"]
    headers.append(f"Content-Type: {random.choice(('application/json', 'application/x-ndjson', 'text/plain', ''))}")
    if random.random() < 0.2:
        encoding, body = bodies.encoded(random)
        headers.append(f"Content-Encoding: {encoding.replace(chr(127), '~')}")
    path = "/crm/persons" + random.choice(("", "", "/", "?bulk=true", "?results=refused", "?bulk=maybe", "?%ff=%00"))
    allowed = frozenset({202, 400, 413, 415, 422})
    return Attempt("crm", (request(place, *headers, body=body, path=path),), allowed)


def _crm_without_token(random: Random, place: Place) -> Attempt:
    """Changes of nobody, from an address of Vibes: it may be Vibes at a wrong URL."""
    token = random.choice(("", "Authorization: Bearer wrong", "Authorization: Bearer", "Authorization: \xff\xfe \x80"))
    message = request(place, token or "X-None: 0", body=bodies.crm_records(random), path="/crm/persons")
    return Attempt("crm_without_token", (message,), frozenset({503}))


def _cut(random: Random, message: bytes, most: int = 3) -> tuple[bytes, ...]:
    """Cut a message into a few pieces."""
    places = sorted(random.randrange(len(message) + 1) for _ in range(random.randrange(most)))
    return tuple(
        piece for start, end in zip([0, *places], [*places, len(message)], strict=True) if (piece := message[start:end])
    )


_ODD_TYPES = (
    "application/json",
    "text/json",
    "",
    "/",
    "application/xml",
    "multipart/form-data",
    "a/b; charset=\xe9",
    "x",
)
_ODD_HEADERS = ("", "v", "v" * 400, "\xff\xfe", "\t a \t", '"quoted, \\" text"', "=?utf-8?q?x?=", "%00%0a", "{}")
_UPGRADES = (
    "X-None: 0",
    "X-None: 0",
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13",
    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    "Upgrade: TLS/1.0",
)
_KINDS: dict[Make, float] = {
    _plain: 36,
    _encoded: 6,
    _headers: 6,
    _chunked: 8,
    _pieces: 6,
    _expecting: 2,
    _pipelined: 3,
    _large: 0.1,
    _too_large: 0.3,
    _broken_framing: 6,
    _broken_chunks: 2,
    _wrong_method: 2,
    _no_http: 4,
    _path: 4,
    _stranger: 4,
    _hidden: 2,
    _leaving: 3,
    _slow_body: 0.3,
    _mutated: 8,
    _crm: 4,
    _crm_without_token: 1,
}
_MAKERS, _WEIGHTS = tuple(_KINDS), tuple(_KINDS.values())
