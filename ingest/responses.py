"""Answers as aiohttp responses. The one for an accepted callback is made for speed."""

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from ingest.answers import BROKEN_REQUEST, FORBIDDEN, HIDDEN_SOURCE, NOT_HERE, SLOW_BODY, WRONG_METHOD, Receipt, Refusal
from ingest.endpoints import METHODS
from ingest.parsed import parsed

RECEIPT_HEADER = "X-Receipt-Id"

_CLOSE_AFTER = (NOT_HERE, FORBIDDEN, HIDDEN_SOURCE, BROKEN_REQUEST, SLOW_BODY)
"""Where the next request cannot be told from the rest of this one, and whoever may not be Vibes: so who is still
connected after an answer is (`ingest.connections`)."""


def respond(request: web.BaseRequest, answer: Receipt | Refusal, *, draining: bool) -> web.StreamResponse:
    """Return the response for an answer. While draining, every connection is closed after its answer."""
    if isinstance(answer, Receipt):
        message = parsed(request)
        if not (message.should_close or draining) and message.version == HttpVersion11:
            return _Accepted(answer)
        accepted = web.Response(status=202, headers={RECEIPT_HEADER: str(answer)})
        if draining:
            accepted.force_close()
        return accepted
    return refuse(answer, close=draining)


def refuse(refusal: Refusal, *, close: bool = False) -> web.Response:
    """Return the response for a refusal; callers that are not Vibes are cut off in any case."""
    headers = {hdrs.ALLOW: ", ".join(sorted(METHODS))} if refusal is WRONG_METHOD else None
    response = web.Response(status=refusal.status, headers=headers)
    if close or refusal in _CLOSE_AFTER:
        response.force_close()
    return response


class _Accepted(web.StreamResponse):
    """202 on a connection that stays open, written as the bytes it is.

    `web.Response` collects headers in a map, checks them and serialises them: a quarter of what a bare request costs,
    for an answer in which only the receipt differs (docs/performance.md, "Ingest").
    """

    def __init__(self, receipt: Receipt) -> None:
        # Not super().__init__(): it prepares all that.
        self._receipt = receipt
        self._request: web.BaseRequest | None = None

    @property
    def status(self) -> int:
        return 202

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        self._request = request
        return request.writer

    async def write_eof(self, _data: bytes = b"") -> None:
        request = self._request
        transport = request.transport if request else None
        if request is None or transport is None:
            raise ConnectionResetError("the caller has closed the connection")
        transport.write(b"%b%s\r\n\r\n" % (_head(int(time.time())), str(self._receipt).encode()))
        if request.protocol.writing_paused:
            await request.writer.drain()


@lru_cache(maxsize=1)
def _head(second: int) -> bytes:
    """Return the answer up to the receipt; it differs from second to second in its date only."""
    date = formatdate(second, usegmt=True)
    return f"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nDate: {date}\r\n{RECEIPT_HEADER}: ".encode()
