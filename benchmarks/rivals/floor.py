"""What aiohttp and uvloop cost alone: read, parse, answer 200. Nothing is kept; no ingest can be faster than this."""

import asyncio

import orjson
from aiohttp import web

from benchmarks.rivals.http import listen, read, serve
from benchmarks.rivals.options import parser
from runtime.lifecycle import run_process


async def answer(request: web.BaseRequest) -> web.Response:
    """Answer on the pipeline's own server class."""
    await read(request)
    return web.Response()


async def answer_plain(request: web.Request) -> web.Response:
    """Answer in an ordinary application."""
    orjson.loads(await request.read())
    return web.Response()


async def _ready(_request: web.Request) -> web.Response:
    return web.Response()


async def _serve_plain(port: int, stop: asyncio.Event) -> None:
    app = web.Application()
    app.router.add_post("/callbacks/{endpoint}", answer_plain)
    app.router.add_get("/readyz", _ready)
    await serve(web.AppRunner(app, access_log=None), port, stop)


def main() -> None:
    """Run until SIGTERM."""
    options = parser(__doc__)
    options.add_argument("--plain", action="store_true", help="an ordinary web.Application with one route instead")
    arguments = options.parse_args()
    if arguments.plain:
        run_process(lambda stop: _serve_plain(arguments.port, stop))
    else:
        run_process(lambda stop: listen(answer, arguments.port, stop))


if __name__ == "__main__":
    main()
