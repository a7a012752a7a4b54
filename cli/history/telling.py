"""Have a history told by another process, so that it is made up on one processor while it is applied on another."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import orjson

from cli.history.teller import LENGTH_BYTES
from schemas.broker_message import CallbackMessage, decode
from schemas.errors import ServiceError
from simulator.history.ledger import Totals
from simulator.history.spec import HistorySpec

_AHEAD_BYTES = 2**21
"""About so much is told before it is wanted."""


class Telling:
    """A history that is being told; it is told once."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._totals: Totals | None = None

    @property
    def totals(self) -> Totals:
        """What the history came to. There is none before its last message."""
        assert self._totals is not None  # noqa: S101 - for the type checker: see above
        return self._totals

    async def messages(self) -> AsyncIterator[CallbackMessage]:
        """Yield the broker messages, in order of receipt. Raises ServiceError when the history cannot be told."""
        while frame := await self._read_frame():
            yield decode(frame)
        end = orjson.loads(await self._read_frame())
        if "error" in end:
            raise ServiceError(end["error"])
        self._totals = Totals(**end["totals"])

    async def _read_frame(self) -> bytes:
        output = self._process.stdout
        assert output is not None  # noqa: S101 - it was started with a pipe
        try:
            length = int.from_bytes(await output.readexactly(LENGTH_BYTES), "big")
            return await output.readexactly(length)
        except asyncio.IncompleteReadError:
            code = await self._process.wait()
            raise ServiceError(
                f"the process that makes up the history ended with code {code}; the same command goes on from here"
            ) from None


@asynccontextmanager
async def telling(spec: HistorySpec, ledger: Path | None = None) -> AsyncIterator[Telling]:
    """Start to tell a history, and to keep its ledger in a file; the process ends with the context.

    Ctrl-C is for this process only.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.history.teller", orjson.dumps(asdict(spec)).decode(), str(ledger or "")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        limit=_AHEAD_BYTES,
        start_new_session=True,
    )
    try:
        yield Telling(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
