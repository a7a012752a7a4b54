"""Run one part of the pipeline: in this process, or in several that this one watches over."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal

import structlog

from runtime import tracing
from runtime.companies import Companies, load_companies
from runtime.lifecycle import run_process, wait_or_stop
from runtime.logging import configure_logging
from runtime.settings import PREFIX, Settings, load_settings
from schemas.errors import ConfigurationError

log = structlog.get_logger()

Part = Literal["ingest", "apply", "person-sync"]
Serve = Callable[[Settings, Companies, asyncio.Event], Awaitable[None]]

_RESTART_SECONDS = (0.5, 30.0)
_LONG_LIFE_SECONDS = 60.0
"""A process that lived that long is restarted without a pause."""
_AFTER_DRAIN_SECONDS = 10.0
_WRONG_CONFIGURATION = 2
"""Exit code of a process that cannot run with its configuration."""
_LAST_PORT = 65535
_EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - what is compared with


def run_part(part: Part, processes: int = 1, *, supervised: bool = False) -> None:
    """Run a part until it is told to stop.

    With several processes, each has an admin port of its own (the configured one, and the next ones) and is restarted
    when it ends by itself. `supervised` says that this is one of them. Raises ConfigurationError before anything runs.
    """
    settings = load_settings()
    _check_ports(part, settings, processes)
    companies = load_companies(settings.companies_file)
    if processes > 1:
        tracing.wanted(os.environ)
        configure_logging(settings.log_level, settings.log_format, part)
        run_process(partial(_supervise, part, processes, settings))
        return
    processors = tracing.start(part).log_processors
    configure_logging(settings.log_level, settings.log_format, part, processors)
    try:
        run_process(partial(_run_one, _serve(part, supervised=supervised), settings, companies, supervised))
    finally:
        tracing.stop()


def _check_ports(part: Part, settings: Settings, processes: int) -> None:
    """Raise ConfigurationError when the ports that a part is going to take are in each other's way."""
    first = _admin_port(part, settings)
    if not first:
        return
    setting, last = _setting(part), first + processes - 1
    if last > _LAST_PORT:
        raise ConfigurationError(f"{setting}: {processes} processes take ports from {first} on, and {last} is none")
    hosts = {settings.ingest_host, settings.admin_host}
    if part == "ingest" and first <= settings.ingest_port <= last and (len(hosts) == 1 or hosts & _EVERYWHERE):
        admin = f"{first} to {last}, one for each process" if processes > 1 else str(first)
        raise ConfigurationError(
            f"{PREFIX}INGEST_PORT: {settings.ingest_port} is an admin port too ({setting}: {admin}); choose another"
        )


def _admin_port(part: Part, settings: Settings) -> int:
    return {
        "ingest": settings.ingest_admin_port,
        "apply": settings.apply_admin_port,
        "person-sync": settings.person_sync_admin_port,
    }[part]


def _setting(part: Part) -> str:
    """Return the variable of a part's admin port."""
    return f"{PREFIX}{part.replace('-', '_').upper()}_ADMIN_PORT"


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
    admin_port = _admin_port(part, settings)
    limit = settings.drain_seconds + _AFTER_DRAIN_SECONDS
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(_keep_running(part, admin_port + number if admin_port else 0, limit, stop))
            for number in range(processes)
        ]
    if not all(task.result() for task in running):
        raise ConfigurationError("a process could not start with this configuration: what it said is above")


async def _keep_running(part: Part, admin_port: int, end_seconds: float, stop: asyncio.Event) -> bool:
    """Run one process, again whenever it ends by itself; end it when `stop` is set, by force after `end_seconds`.

    Sets `stop`, and returns False, when it finds its configuration wrong the first time it runs. Later on it is started
    again all the same: what was wrong may be mended, and the other processes are at work.
    """
    is_first = True
    loop = asyncio.get_running_loop()
    pause = _RESTART_SECONDS[0]
    while not stop.is_set():
        began = loop.time()
        environment = os.environ | {_setting(part): str(admin_port)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli", part, "--supervised", stdin=asyncio.subprocess.PIPE, env=environment
        )
        log.info("process.started", pid=process.pid, admin_port=admin_port)
        await _until_ended(process, end_seconds, stop)
        if stop.is_set():
            return True
        lived_long = loop.time() - began > _LONG_LIFE_SECONDS
        if is_first and not lived_long and process.returncode == _WRONG_CONFIGURATION:
            stop.set()
            return False
        is_first = False
        pause = _RESTART_SECONDS[0] if lived_long else pause
        log.error("process.ended", pid=process.pid, code=process.returncode, restart_seconds=pause)
        await wait_or_stop(stop, pause)
        pause = min(pause * 2, _RESTART_SECONDS[1])
    return True


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
