"""The crowd: a process that holds thousands of connections and never asks for anything, or very slowly.

`python -m tests.chaos.abuse.crowd HOST PORT PATH IDLE DRIPPING`, told to finish by the end of its standard input. A
connection that ingest closes is opened again, as somebody who means ill would.
"""

import asyncio
import resource
import sys
from collections import deque
from typing import Any

from tests.chaos.abuse.companion import accompany

_TICK_SECONDS = 0.1
_OPENED_A_TICK = 50
"""A process that gets a fifth of a core accepts about so many. What it does not accept in time waits in the system's
queue, and the good callers wait behind it."""
_DRIP_SECONDS = 1.0
_BACK_SECONDS = 2.0
_UNREAD = 16
_UNREAD_REQUESTS = 400
_HUGE = 24
_HUGE_FIELDS = 40


class Visitor(asyncio.Protocol):
    """A connection that sends `first` when it opens, and reads nothing when `deaf`."""

    def __init__(self, crowd: "Crowd", first: bytes = b"", *, drips: bool = False, deaf: bool = False) -> None:
        self._crowd = crowd
        self.first = first
        self.drips = drips
        self.deaf = deaf
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports have no common class
        if self.deaf:
            self.transport.pause_reading()
        if self.first:
            self.transport.write(self.first)
        self._crowd.came(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._crowd.left(self)

    def again(self) -> "Visitor":
        return Visitor(self._crowd, self.first, drips=self.drips, deaf=self.deaf)


class Crowd:
    """All visitors, those who are there and those who want in."""

    def __init__(self, host: str, port: int, path: str, idle: int, dripping: int) -> None:
        self._address = (host, port)
        unfinished = f"POST {path} HTTP/1.1\r\nHost: ingest\r\nX-Slow: ".encode()
        huge = unfinished + (b"v" * 60_000 + b"\r\nX-Huge: ") * _HUGE_FIELDS
        asked = f"GET {path} HTTP/1.1\r\nHost: ingest\r\n\r\n".encode() * _UNREAD_REQUESTS
        self._outside: deque[Visitor] = deque(
            [
                *(Visitor(self) for _ in range(idle)),
                *(Visitor(self, unfinished, drips=True) for _ in range(dripping)),
                *(Visitor(self, huge) for _ in range(_HUGE)),
                *(Visitor(self, asked, deaf=True) for _ in range(_UNREAD)),
            ]
        )
        self._inside: set[Visitor] = set()
        self._most = 0
        self._opened = 0
        self._lost = 0
        self._opening: set[asyncio.Task[None]] = set()

    def came(self, visitor: Visitor) -> None:
        self._opened += 1
        self._inside.add(visitor)
        self._most = max(self._most, len(self._inside))

    def left(self, visitor: Visitor) -> None:
        self._lost += 1
        self._inside.discard(visitor)
        # What ingest takes of headers, it takes at the speed of the network: pauses leave the good callers some of it.
        asyncio.get_running_loop().call_later(_BACK_SECONDS, self._outside.append, visitor.again())

    async def besiege(self, finish: asyncio.Event) -> dict[str, Any]:
        """Press in until told to finish; return how many were inside at most, came in, and were thrown out."""
        loop = asyncio.get_running_loop()
        drip_at = loop.time()
        while not finish.is_set():
            for _ in range(min(_OPENED_A_TICK, len(self._outside))):
                task = asyncio.ensure_future(self._open(self._outside.popleft()))
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)
            if loop.time() >= drip_at:
                drip_at = loop.time() + _DRIP_SECONDS
                for visitor in self._inside:
                    if visitor.drips:
                        visitor.transport.write(b"s")
            await asyncio.sleep(_TICK_SECONDS)
        await asyncio.gather(*self._opening)
        figures = {"most_connections": self._most, "opened": self._opened, "closed_by_ingest": self._lost}
        for visitor in tuple(self._inside):
            visitor.transport.abort()
        return figures

    async def _open(self, visitor: Visitor) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: visitor, *self._address)
        except OSError:
            self._outside.append(visitor)


def _main() -> None:
    host, port, path, idle, dripping = sys.argv[1:]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    accompany(lambda finish: Crowd(host, int(port), path, int(idle), int(dripping)).besiege(finish))


if __name__ == "__main__":
    _main()
