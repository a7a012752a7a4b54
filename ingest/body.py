"""Reads a request's body within its bounds: size, time, and what all requests may hold together."""

import asyncio

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.streams import StreamReader

from ingest.answers import BROKEN_REQUEST, OVERLOADED, SLOW_BODY, TOO_LARGE, Refusal
from ingest.pending import Share


def read_at_once(request: web.BaseRequest, max_bytes: int) -> bytes | Refusal | None:
    """Return the raw body if all of it is here, or why it was not taken; None: more has to be waited for.

    Nearly always it is here: a small body comes in the same packet as the headers.
    """
    content = request.content
    if not content.is_eof():
        return None
    try:
        body = content.read_nowait()
    except (web.RequestPayloadError, ConnectionError):
        return BROKEN_REQUEST
    return body if len(body) <= max_bytes else TOO_LARGE


async def read_body(request: web.BaseRequest, max_bytes: int, share: Share, deadline: float) -> bytes | Refusal:
    """Return the raw body, or why it was not taken. `deadline` is in the event loop's time."""
    if (request.content_length or 0) > max_bytes:
        return TOO_LARGE
    try:
        async with asyncio.timeout_at(deadline):
            await _invite(request)
            return await _read_chunks(request.content, max_bytes, share)
    except TimeoutError:
        return SLOW_BODY
    except (web.RequestPayloadError, ConnectionError):
        return BROKEN_REQUEST
    except RuntimeError:
        # aiohttp's word for a caller who had left before the first look at the body.
        if request.transport is not None:
            raise
        return BROKEN_REQUEST


async def _invite(request: web.BaseRequest) -> None:
    """Answer `Expect: 100-continue`, on which the client waits with the body. Other expectations are ignored."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def _read_chunks(content: StreamReader, max_bytes: int, share: Share) -> bytes | Refusal:
    chunks: list[bytes] = []
    size = 0
    while chunk := await content.readany():
        size += len(chunk)
        if size > max_bytes:
            return TOO_LARGE
        if not share.grow(len(chunk)):
            return OVERLOADED
        chunks.append(chunk)
    return b"".join(chunks)
