"""A keep-alive HTTP/1.1 connection that costs little: one request under way, and only the answer's status is read."""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools


class Connection(asyncio.Protocol):
    """One connection to the server.

    `number` is that of the request under way, None while there is none. `answered` is called with each answer's
    status; `lost` once the connection can be used no more, with the request under way, if any, still in `number`.
    """

    def __init__(self, answered: Callable[["Connection", int], None], lost: Callable[["Connection"], None]) -> None:
        self.number: int | None = None
        self.usable = False
        self._answered = answered
        self._lost = lost
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.WriteTransport

    def send(self, number: int, request: bytes) -> None:
        """Send a request; the connection has to be usable and without one under way."""
        self.number = number
        self._transport.write(request)

    def close(self) -> None:
        """Close the connection."""
        self.usable = False
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note that the connection is there (asyncio calls this)."""
        # Neither uvloop's transports nor those of asyncio's selectors can be told by their class.
        self._transport = cast("asyncio.WriteTransport", transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        """Read what has come of an answer (asyncio calls this)."""
        self._parser.feed_data(data)

    def connection_lost(self, _error: Exception | None) -> None:
        """Note that the connection is gone (asyncio calls this)."""
        self.usable = False
        self._lost(self)

    def on_message_complete(self) -> None:
        """Note that an answer has come (httptools calls this)."""
        if not self._parser.should_keep_alive():
            self.close()
        self._answered(self, self._parser.get_status_code())
