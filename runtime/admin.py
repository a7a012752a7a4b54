"""The admin listener of a process: /healthz, /readyz and /metrics, on a port of its own."""

import errno
import ssl
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from runtime import metrics
from schemas.errors import ConfigurationError

log = structlog.get_logger()

Readiness = Callable[[], Awaitable[str | None]]
"""Returns None when the process can do its work now, else what keeps it from that."""


def create_admin_app(part: metrics.Part, ready: Readiness) -> web.Application:
    """Return the admin application of a part. `/healthz` is 200 while the process lives; `/readyz` asks `ready`."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_request: web.Request) -> web.Response:
        problem = await ready()
        return web.Response(status=503, text=f"{problem}\n") if problem else web.Response(text="ready\n")

    async def show_metrics(request: web.Request) -> web.Response:
        body, content_type = metrics.exposition(part, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", show_metrics)],
    )
    return app


async def start_site(
    runner: web.BaseRunner,
    host: str,
    port: int,
    setting: str,
    *,
    reuse_port: bool = False,
    backlog: int = 128,
    ssl_context: ssl.SSLContext | None = None,
) -> int:
    """Listen; return the port (the one taken, when 0 was asked for).

    `reuse_port` lets several processes share the port, `backlog` is the length of the queue of new connections. With an
    `ssl_context` it speaks HTTPS.
    Raises ConfigurationError naming `setting` when the address cannot be had; the runner has to be cleaned up all the
    same.
    """
    await runner.setup()
    site = web.TCPSite(runner, host, port, reuse_port=reuse_port, backlog=backlog, ssl_context=ssl_context)
    try:
        await site.start()
    except OSError as error:
        remedy = "; choose another port, or 0 for a free one" if error.errno == errno.EADDRINUSE else ""
        told = f"{setting}: cannot listen on {host}:{port} ({error.strerror}){remedy}"
        raise ConfigurationError(told) from error
    address = runner.addresses[0]
    return int(address[1])
