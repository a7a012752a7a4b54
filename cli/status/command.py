"""Run `vibes-pipeline status`."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.status.gather import Status, Watcher, gather_status
from cli.status.plain import as_json, as_line
from cli.status.processes import read_addresses
from cli.status.view import Looks, show
from runtime.settings import Settings, load_settings
from schemas.errors import ServiceError

Result = TypeVar("Result")

_FILE_WIDTH = 200


def run_status(addresses: Sequence[str], *, json: bool, watch: bool, every_seconds: float) -> None:
    """Show the status once, or until it is told to stop (Ctrl-C, SIGTERM).

    Once: raises ServiceError when a service cannot be asked, after it has shown what the others told. Again and again:
    it says so, and goes on. Raises ConfigurationError.
    """
    settings = load_settings()
    asked = read_addresses(addresses)
    if watch:
        asyncio.run(_watch(settings, asked, every_seconds, json=json))
        return
    status = asyncio.run(gather_status(settings, asked, thorough=json))
    if json:
        print(as_json(Looks(status), indent=True))
    elif status.accounts or status.queues or status.processes:
        _console().print(show(Looks(status)))
    if status.problems:
        raise ServiceError("\n".join(status.problems))


async def _watch(settings: Settings, addresses: Sequence[str], every_seconds: float, *, json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    console = _console()
    live = None
    if _can_be_drawn_on(console) and not json:
        live = Live(Text("asking ...", style="dim"), console=console, screen=True, auto_refresh=False)
    tell = _teller(live, every_seconds, json=json)
    async with Watcher(settings, addresses) as watcher:
        # The screen is given back, and the cursor, whatever ends this.
        with live or nullcontext():
            before: Status | None = None
            while (status := await _unless(stop, watcher.look())) is not None:
                tell(Looks(status, before))
                before = status
                await _unless(stop, asyncio.sleep(every_seconds))


def _teller(live: Live | None, every_seconds: float, *, json: bool) -> Callable[[Looks], None]:
    if live is not None:
        heading = f"every {every_seconds:g} s, Ctrl-C ends"
        return lambda looks: live.update(show(looks, heading), refresh=True)
    if json:
        return lambda looks: print(as_json(looks, indent=False), flush=True)
    return lambda looks: print(as_line(looks), flush=True)


async def _unless(stop: asyncio.Event, work: Awaitable[Result]) -> Result | None:
    """Return what comes of `work`; None when it is time to stop first."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return None if stop.is_set() else working.result()
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def _can_be_drawn_on(console: Console) -> bool:
    return console.is_terminal and not console.is_dumb_terminal


def _console() -> Console:
    """Return standard output; as wide as it takes where it is no terminal, so that nothing is cut off in a file."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    return console
