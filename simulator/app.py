"""The simulator as a web application."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

import aiohttp
from aiohttp import web

from simulator import control
from simulator.api import callbacks, participants, persons, subscriptions
from simulator.api.guards import GUARDS
from simulator.config import Config
from simulator.server import SIMULATOR, Simulator
from simulator.times import utc_now


def create_app(
    config: Config, clock: Callable[[], datetime] = utc_now, traces: Sequence[aiohttp.TraceConfig] = ()
) -> web.Application:
    """Build the platform API under /companies/, the control API under /_simulator/.

    `clock` gives the time, in UTC, of everything done through the platform API. `traces` see every callback sent.
    """
    app = web.Application()
    app[SIMULATOR] = Simulator(config, clock, traces)
    platform = web.Application(middlewares=GUARDS)
    for module in (persons, subscriptions, participants, callbacks):
        platform.add_routes(module.ROUTES)
    app.add_subapp("/companies/", platform)
    controls = web.Application(middlewares=[control.answer_refusals])
    controls.add_routes(control.ROUTES)
    app.add_subapp("/_simulator/", controls)
    app.cleanup_ctx.append(_running)
    app.on_shutdown.append(_release_hanging_calls)
    return app


async def serve(config: Config, ready: Callable[[str], None] | None = None) -> None:
    """Serve until cancelled, then stop in an orderly way. `ready` is called once with the base URL."""
    runner = web.AppRunner(create_app(config), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.host, config.port)
        await site.start()
        if ready is not None:
            host, port = runner.addresses[0][:2]
            ready(f"http://{host}:{port}")
        await asyncio.get_running_loop().create_future()
    finally:
        await runner.cleanup()


async def _running(app: web.Application) -> AsyncIterator[None]:
    await app[SIMULATOR].start()
    yield
    await app[SIMULATOR].stop()


async def _release_hanging_calls(app: web.Application) -> None:
    app[SIMULATOR].stopping.set()
