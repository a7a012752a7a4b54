"""Run one part of the pipeline: in this process, or in several that this one watches over."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

import structlog

from runtime.companies import Companies, load_companies
from runtime.lifecycle import run_process, wait_or_stop
from runtime.logging import configure_logging
from runtime.settings import PREFIX, Settings, load_settings

log = structlog.get_logger()

Part = Literal["ingest", "apply", "person-sync"]
Serve = Callable[[Settings, Companies, asyncio.Event], Awaitable[None]]

_RESTART_SECONDS = (0.5, 30.0)
_LONG_LIFE_SECONDS = 60.0
"""A process that lived that long is restarted without a pause."""
_AFTER_DRAIN_SECONDS = 10.0


def run_part(part: Part, processes: int = 1, *, supervised: bool = False) -> None:
    """Run a part until it is told to stop.

    With several processes, each has an admin port of its own (the configured one, and the next ones) and is restarted
    when it ends by itself. `supervised` says that this is one of them. Raises ConfigurationError before anything runs.
    """
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format, part)
    companies = load_companies(settings.companies_file)
    if processes > 1:
        run_process(partial(_supervise, part, processes, settings))
    else:
        run_process(partial(_run_one, _serve(part, supervised=supervised), settings, companies, supervised))


def _serve(part: Part, *, supervised: bool) -> Serve:
    """Import the part that is asked for, and only that."""
    if part == "ingest":
        from ingest.process import serve as serve_ingest

        return partial(serve_ingest, reuse_port=supervised)
    if part == "apply":
        from workers.apply.process import serve as serve_apply

        return serve_apply
    from workers.person_sync.process import serve as serve_person_sync

    return serve_person_sync


async def _run_one(
    serve: Serve, settings: Settings, companies: Companies, supervised: bool, stop: asyncio.Event
) -> None:
    watching = asyncio.ensure_future(_stop_with_supervisor(stop)) if supervised else None
    try:
        await serve(settings, companies, stop)
    finally:
        if watching is not None:
            watching.cancel()


async def _stop_with_supervisor(stop: asyncio.Event) -> None:
    """Set `stop` when the supervisor is gone, however it went: its end of our standard input closes with it."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    stop.set()


async def _supervise(part: Part, processes: int, settings: Settings, stop: asyncio.Event) -> None:
    admin_port = {
        "ingest": settings.ingest_admin_port,
        "apply": settings.apply_admin_port,
        "person-sync": settings.person_sync_admin_port,
    }[part]
    limit = settings.drain_seconds + _AFTER_DRAIN_SECONDS
    async with asyncio.TaskGroup() as group:
        for number in range(processes):
            group.create_task(_keep_running(part, admin_port + number if admin_port else 0, limit, stop))


async def _keep_running(part: Part, admin_port: int, end_seconds: float, stop: asyncio.Event) -> None:
    """Run one process, again whenever it ends by itself; end it when `stop` is set, by force after `end_seconds`."""
    loop = asyncio.get_running_loop()
    pause = _RESTART_SECONDS[0]
    while not stop.is_set():
        began = loop.time()
        environment = os.environ | {f"{PREFIX}{part.replace('-', '_').upper()}_ADMIN_PORT": str(admin_port)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli", part, "--supervised", stdin=asyncio.subprocess.PIPE, env=environment
        )
        log.info("process.started", pid=process.pid, admin_port=admin_port)
        await _until_ended(process, end_seconds, stop)
        if stop.is_set():
            return
        pause = _RESTART_SECONDS[0] if loop.time() - began > _LONG_LIFE_SECONDS else pause
        log.error("process.ended", pid=process.pid, code=process.returncode, restart_seconds=pause)
        await wait_or_stop(stop, pause)
        pause = min(pause * 2, _RESTART_SECONDS[1])


async def _until_ended(process: asyncio.subprocess.Process, end_seconds: float, stop: asyncio.Event) -> None:
    ended = asyncio.ensure_future(process.wait())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not ended.done():
        process.terminate()
        await asyncio.wait((ended,), timeout=end_seconds)
    if not ended.done():
        log.error("process.killed", pid=process.pid, after_seconds=end_seconds)
        process.kill()
    await ended
