"""The bounds on connections: how many are open, and what they hold before they have asked for anything.

A connection costs 5 KiB while it is idle (measured), but up to 16 MiB while its headers are unfinished, and none of it
is bounded by how many requests are under way. Whoever is answered is known to be an address of Vibes, or is cut off
(`ingest.responses`), so a connection that has been answered before is worth more than one that has not.
"""

import asyncio
import resource
from collections import deque
from typing import Protocol

import structlog

from runtime import metrics

log = structlog.get_logger()

_OTHER_FILES = 100
"""What a process has open beside the connections of callers: broker, admin port, log."""
_SHARE_AT_A_TIME = 20
"""One in so many connections is picked when room is needed, since picking means to look at all of them."""
_HEADER_SECONDS = 10.0
_TICK_SECONDS = 1.0
_MOST_UNFINISHED_BYTES = 32 * 1024 * 1024


class Connection(Protocol):
    """What is asked of a connection. It has to be hashable."""

    @property
    def is_spare(self) -> bool:
        """Whether nobody waits for an answer on it."""

    @property
    def worth(self) -> tuple[bool, float]:
        """Whether it was ever answered, and when it was last (or when it was opened): the least goes first."""

    def cut(self) -> None:
        """Close it."""


class Connections:
    """All open connections of a process.

    When there are more than `most`, those that nobody uses make room: first the oldest that never finished a request,
    then those that have been quiet for the longest time. Only when all of them are in use is a new one turned away.
    Headers have to be finished within 10 seconds, and all unfinished ones together hold 32 MiB at most; beyond that
    the oldest go.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Connection] = set()
        self._dispensable: deque[Connection] = deque()
        self._unfinished: dict[Connection, tuple[float, int]] = {}
        """Since when, and how many bytes; the oldest first."""
        self._unfinished_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        metrics.INGEST_CONNECTIONS.set_function(lambda: len(self._open))

    def opened(self, connection: Connection) -> None:
        """Take a new connection in; it, or another one, may be cut for it."""
        self._open.add(connection)
        if len(self._open) > self._most:
            _cut(self._find_dispensable(connection) or connection, "no_room")

    def closed(self, connection: Connection) -> None:
        """Let go of a connection."""
        self._open.discard(connection)
        self.finished(connection)

    def unfinished(self, connection: Connection, size: int) -> None:
        """Note so many more bytes of headers that have no end yet."""
        loop = asyncio.get_running_loop()
        since, before = self._unfinished.get(connection, (loop.time(), 0))
        self._unfinished[connection] = since, before + size
        self._unfinished_bytes += size
        while self._unfinished_bytes > _MOST_UNFINISHED_BYTES:
            self._cut_oldest_unfinished("unfinished_headers")
        if self._timer is None:
            self._timer = loop.call_later(_TICK_SECONDS, self._tick)

    def finished(self, connection: Connection) -> None:
        """Note that the headers are complete, or given up."""
        _, size = self._unfinished.pop(connection, (0.0, 0))
        self._unfinished_bytes -= size

    def _tick(self) -> None:
        """Cut the connections whose headers took too long."""
        loop = asyncio.get_running_loop()
        latest = loop.time() - _HEADER_SECONDS
        while self._unfinished and next(iter(self._unfinished.values()))[0] < latest:
            self._cut_oldest_unfinished("slow_headers")
        self._timer = loop.call_later(_TICK_SECONDS, self._tick) if self._unfinished else None

    def _cut_oldest_unfinished(self, reason: str) -> None:
        oldest = next(iter(self._unfinished))
        self.finished(oldest)
        _cut(oldest, reason)

    def _find_dispensable(self, newest: Connection) -> Connection | None:
        for _ in range(2):
            while self._dispensable:
                candidate = self._dispensable.popleft()
                # It may have closed, or begun a request, since it was picked.
                if candidate in self._open and candidate.is_spare:
                    self._open.discard(candidate)
                    return candidate
            spare = sorted((c for c in self._open if c.is_spare and c is not newest), key=lambda c: c.worth)
            self._dispensable.extend(spare[: max(1, self._most // _SHARE_AT_A_TIME)])
        return None


def _cut(connection: Connection, reason: str) -> None:
    metrics.INGEST_CONNECTIONS_CUT.labels(reason).inc()
    connection.cut()


def affordable(most: int) -> int:
    """Return how many connections the process may have open, `most` at best, and make sure that it can have them.

    The limit on open files is raised as far as the system allows. Were it reached, the connection to the broker could
    not be opened again.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    affordable = max(1, min(most, wanted - _OTHER_FILES))
    if affordable < most:
        log.warning(
            "ingest.fewer_connections",
            wanted=most,
            connections=affordable,
            advice=f"raise the hard limit on open files (ulimit -Hn, nofile) to {most + _OTHER_FILES}",
        )
    return affordable
