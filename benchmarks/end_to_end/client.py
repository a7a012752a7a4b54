"""Sends callbacks as fast as they are answered, but no more of them than are allowed by then."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from benchmarks.load.client import Connection
from deploy.local.errors import ServiceError

CONNECTIONS = 64
_PATIENCE_SECONDS = 10.0
_RECEIPT = b"x-receipt-id"

Accepted = Callable[[str], None]


class _Connection(Connection):
    """Keeps the receipt of the last answer, too; empty when there was none."""

    receipt = ""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Look at a header (httptools calls this)."""
        if name.lower() == _RECEIPT:
            self.receipt = value.decode()


class Client:
    """Sends each body once, in order; an instance is used once.

    `accepted` is called with the receipt of each 2xx, empty for a server that gives none.
    """

    def __init__(self, url: str, bodies: Sequence[bytes], accepted: Accepted | None = None) -> None:
        self.sent = 0
        self._answers: Counter[int] = Counter()
        self._lost = 0
        address = urlsplit(url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._head = f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        self._bodies = bodies
        self._accepted = accepted
        self._allowed = 0
        self._free: deque[_Connection] = deque()
        self._quiet = asyncio.Event()

    async def open(self) -> None:
        """Open the connections. Raises ServiceError when the server is not there."""
        loop = asyncio.get_running_loop()
        try:
            opened = await asyncio.gather(
                *(
                    loop.create_connection(lambda: _Connection(self._answered, self._broken), self._host, self._port)
                    for _ in range(CONNECTIONS)
                )
            )
        except OSError as error:
            raise ServiceError(f"nobody answers at port {self._port}: {error}") from error
        self._free.extend(connection for _, connection in opened)

    def allow(self, count: int) -> None:
        """Have the first `count` bodies sent, as connections get free."""
        self._allowed = min(count, len(self._bodies))
        self._send()

    async def finish(self) -> None:
        """Send no more, wait for the answers and close. Raises ServiceError unless every request was answered 2xx."""
        self._allowed = 0
        self._look_whether_quiet()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._quiet.wait()
        except TimeoutError as error:
            late = self.sent - self._answers.total() - self._lost
            raise ServiceError(f"{late} requests had no answer after {_PATIENCE_SECONDS:g} s") from error
        lost, self._lost = self._lost, 0
        for connection in self._free:
            connection.close()
        if lost or any(not 200 <= status < 300 for status in self._answers):
            raise ServiceError(f"not every request was answered 2xx: {dict(self._answers)}, connections lost: {lost}")

    def _send(self) -> None:
        while self.sent < self._allowed and self._free:
            body = self._bodies[self.sent]
            connection = self._free.popleft()
            connection.send(self.sent, f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            self.sent += 1

    def _answered(self, connection: Connection, status: int) -> None:
        assert isinstance(connection, _Connection)  # noqa: S101 - for the type checker
        self._answers[status] += 1
        if self._accepted is not None and 200 <= status < 300:
            self._accepted(connection.receipt)
        connection.receipt = ""
        connection.number = None
        self._free.append(connection)
        self._send()
        self._look_whether_quiet()

    def _broken(self, connection: Connection) -> None:
        if connection.number is not None:
            self._lost += 1
            self._look_whether_quiet()

    def _look_whether_quiet(self) -> None:
        if not self._allowed and self._answers.total() + self._lost == self.sent:
            self._quiet.set()
