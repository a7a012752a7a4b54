"""A process beside the one that abuses: what it measures must not wait for the abuser's own work."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvloop

_END_SECONDS = 30.0


class Companion:
    """A process that works until it is told to finish, and then tells what came of it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def finish(self) -> dict[str, Any]:
        """Let the process end; return its result. Raises RuntimeError when it fails."""
        async with asyncio.timeout(_END_SECONDS):
            output, _ = await self._process.communicate(b"")
        if self._process.returncode != 0:
            raise RuntimeError(f"process {self._process.pid} ended with exit code {self._process.returncode}")
        return dict(json.loads(output))


@asynccontextmanager
async def companion(module: str, *arguments: str) -> AsyncIterator[Companion]:
    """Run a module whose main calls `accompany`, for as long as the context lasts at most."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Companion(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def accompany(work: Callable[[asyncio.Event], Awaitable[dict[str, Any]]]) -> None:
    """Be such a process: run `work(finish)`, where `finish` is set when it is told to, and print its result."""

    async def run() -> dict[str, Any]:
        finish = asyncio.Event()
        # The end of standard input says it, which also comes when whoever started this process is gone.
        waiting = asyncio.get_running_loop().run_in_executor(None, os.read, sys.stdin.fileno(), 1)
        waiting.add_done_callback(lambda _: finish.set())
        return await work(finish)

    sys.stdout.write(json.dumps(uvloop.run(run())))
