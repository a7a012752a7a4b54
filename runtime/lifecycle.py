"""How a process starts and ends: uvloop, signals, one stop event, a bounded drain."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
import uvloop

log = structlog.get_logger()


def run_process(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main(stop)` until it returns. SIGTERM and SIGINT set `stop`; a second one ends the process at once."""
    uvloop.run(_supervise(main))


async def _supervise(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        log.info("process.stopping", signal=number.name)
        stop.set()
        # From now on the default action: whoever asks twice means it, and a kill at any time is safe.
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    # What start-up made lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    # Look for cycles among the young objects after 10,000 more of them, not after 700: nearly all that a request or a
    # batch makes is freed without the collector, and a batch keeps thousands alive that it would look through again.
    gc.set_threshold(10_000, 20, 20)
    await main(stop)
    log.info("process.stopped")


async def wait_or_stop(stop: asyncio.Event, seconds: float) -> bool:
    """Wait that long, or until `stop` is set; return whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True


async def run_and_drain(work: Coroutine[Any, Any, object], stop: asyncio.Event, seconds: float) -> None:
    """Run `work` to its end; once `stop` is set it has that many seconds left, and is then cancelled.

    Raises what `work` raises.
    """
    running = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait((running,), timeout=seconds)
        if not running.done():
            log.warning("process.drain_cut_short", seconds=seconds)
    finally:
        stopping.cancel()
        running.cancel()
        await asyncio.gather(stopping, running, return_exceptions=True)
    if not running.cancelled():
        running.result()
