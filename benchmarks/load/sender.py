"""Sends requests at their times, whatever the answers do."""

import asyncio
import time
from array import array
from collections import Counter, deque
from collections.abc import Sequence
from urllib.parse import urlsplit

from benchmarks.load.client import Connection

_TICK_SECONDS = 0.001
"""uvloop's timers are no finer. What is due is also looked for at each answer."""
_PATIENCE_SECONDS = 10.0
"""How long the last answers are waited for."""
_SOON_SECONDS = 0.05


class Sender:
    """Sends each body once, in order, `rate` a second, over so many connections; an instance is used once.

    A request whose time has come and that finds no free connection waits for one. Latencies count from the time a
    request was scheduled for, so a server that stops answering is charged for all that it held up.
    """

    def __init__(self, url: str, bodies: Sequence[bytes], *, rate: float, connections: int) -> None:
        self.lateness = array("d")
        """Seconds between a request's time and when this process noticed it, by request: its own share of the delay."""
        self.latencies = array("d")
        """Seconds from a request's time to its answer, in the order of the answers."""
        self.statuses: Counter[int] = Counter()
        self.acknowledged: list[tuple[int, float]] = []
        """The number of each request answered 2xx, and `time.time()` of the answer."""
        self.sent = 0
        self.broken = 0
        """Requests whose connection the server closed before it answered."""
        self.sending_seconds = 0.0
        """From the first request's time to the last one's sending."""
        address = urlsplit(url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._head = f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        self._heads: dict[int, bytes] = {}
        self._bodies = bodies
        self._rate = rate
        self._wanted = connections
        self._connections: set[Connection] = set()
        self._free: deque[Connection] = deque()
        self._due = 0
        self._began = 0.0
        self._ending = False
        self._opening: set[asyncio.Task[None]] = set()
        self._finished = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Send everything and wait for the answers, for 10 s after the last request's time at most.

        Raises OSError when the server cannot be connected to at the start.
        """
        await asyncio.gather(*(self._open() for _ in range(self._wanted)))
        self._began = time.perf_counter() + _SOON_SECONDS
        ticking = asyncio.ensure_future(self._tick())
        try:
            async with asyncio.timeout(_SOON_SECONDS + len(self._bodies) / self._rate + _PATIENCE_SECONDS):
                await self._finished.wait()
        except TimeoutError:
            pass  # the caller sees that there are fewer answers than requests
        finally:
            self._ending = True
            for task in (ticking, *self._opening):
                task.cancel()
            await asyncio.gather(ticking, *self._opening, return_exceptions=True)
            for connection in self._connections:
                connection.close()

    async def _tick(self) -> None:
        while self._sent_less_than_all():
            self._send_due()
            await asyncio.sleep(_TICK_SECONDS)

    def _send_due(self) -> None:
        now = time.perf_counter()
        while self._due < len(self._bodies) and (late := now - self._time_of(self._due)) >= 0:
            self.lateness.append(late)
            self._due += 1
        while self.sent < self._due and self._free:
            connection = self._free.popleft()
            if connection.usable:
                connection.send(self.sent, self._request(self._bodies[self.sent]))
                self.sent += 1
                self.sending_seconds = now - self._began

    def _answered(self, connection: Connection, status: int) -> None:
        if connection.number is None:
            return  # an answer that nobody asked for, before the connection is closed
        self.latencies.append(time.perf_counter() - self._time_of(connection.number))
        self.statuses[status] += 1
        if 200 <= status < 300:
            self.acknowledged.append((connection.number, time.time()))
        connection.number = None
        self._free.append(connection)
        self._send_due()
        self._look_whether_finished()

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._ending:
            return
        if connection.number is not None:
            self.broken += 1
            self._look_whether_finished()
        opening = asyncio.ensure_future(self._open_again())
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _open(self) -> None:
        _, connection = await self._loop.create_connection(
            lambda: Connection(self._answered, self._lost), self._host, self._port
        )
        self._connections.add(connection)
        self._free.append(connection)

    async def _open_again(self) -> None:
        while True:
            try:
                return await self._open()
            except OSError:
                await asyncio.sleep(_SOON_SECONDS)

    def _look_whether_finished(self) -> None:
        if len(self.latencies) + self.broken == len(self._bodies):
            self._finished.set()

    def _sent_less_than_all(self) -> bool:
        return self.sent < len(self._bodies)

    def _time_of(self, number: int) -> float:
        return self._began + number / self._rate

    def _request(self, body: bytes) -> bytes:
        size = len(body)
        head = self._heads.get(size)
        if head is None:
            head = self._heads[size] = f"{self._head}Content-Length: {size}\r\n\r\n".encode()
        return head + body
