"""The listener of the rivals made of the pipeline's own parts: its server class, uvloop, one process."""

import asyncio

import orjson
from aiohttp import web

from ingest.listener import CallbackServer, Handler
from runtime.admin import start_site

HOST = "127.0.0.1"
_BACKLOG = 4096


async def read(request: web.BaseRequest) -> bytes:
    """Read and parse a body; return it as it came. Empty for `GET /readyz`. Raises orjson.JSONDecodeError."""
    content = request.content
    # The quickest way aiohttp offers, for a body that came with its headers.
    body = content.read_nowait() if content.is_eof() else await request.read()
    if body:
        orjson.loads(body)
    return body


async def listen(handler: Handler, port: int, stop: asyncio.Event) -> None:
    """Serve `handler` on the pipeline's own server class until `stop`."""
    await serve(web.ServerRunner(CallbackServer(handler, lambda _error: web.Response(status=400))), port, stop)


async def serve(runner: web.BaseRunner, port: int, stop: asyncio.Event) -> None:
    """Serve on this port until `stop`."""
    try:
        await start_site(runner, HOST, port, "--port", backlog=_BACKLOG)
        await stop.wait()
    finally:
        await runner.cleanup()
