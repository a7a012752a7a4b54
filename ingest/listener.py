"""aiohttp's low-level server, set up for callbacks: raw bodies, no router, no redirects, no 4xx of its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ingest.connections import Connections

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
AnswerBroken = Callable[[str], web.StreamResponse]
Admits = Callable[[asyncio.BaseTransport], bool]
"""Whether the caller at the other end of a new connection may speak."""

_KEEPALIVE_SECONDS = 650.0
"""Longer than the idle timeouts of the usual load balancers (60 to 600 s): were it shorter, they would send callbacks
into connections that are closing."""
_LINGERING_SECONDS = 2.0
"""How long the rest of a body that is not wanted is read, so that the caller gets to see the answer."""
_MAX_HEADER_BYTES = 64 * 1024
_NO_ACCESS_LOG = logging.getLogger("ingest.no_access_log")
"""A request line holds the endpoint's key; metrics tell what an access log would."""
_NO_ACCESS_LOG.disabled = True


class CallbackServer(web.Server):
    """Serves one handler and nothing else.

    A low-level server, because what `web.Application` adds (a router, middlewares, redirects) has no use here and
    makes a bare request a third more expensive (measured: 45 us of CPU instead of 34). `answer_broken` gets the kind
    of error of what cannot be read as HTTP.
    """

    def __init__(
        self,
        handler: Handler,
        answer_broken: AnswerBroken,
        max_connections: int = 10_000,
        admits: Admits | None = None,
    ) -> None:
        super().__init__(handler)
        self._answer_broken = answer_broken
        self._admits = admits
        self._bounds = Connections(max_connections)

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return _Protocol(
            self,
            self._answer_broken,
            self._bounds,
            self._admits,
            loop=asyncio.get_running_loop(),
            access_log=_NO_ACCESS_LOG,
            auto_decompress=False,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            lingering_time=_LINGERING_SECONDS,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )


_receive = web.RequestHandler.data_received
"""Found once and not with each packet: `super()` takes as long as all else that a connection adds."""


class _Protocol(web.RequestHandler):
    """A connection.

    Whether it is in use is told by attributes that aiohttp keeps for itself: a book of our own would have to be kept
    up with each request.
    """

    def __init__(
        self,
        server: web.Server,
        answer_broken: AnswerBroken,
        bounds: Connections,
        admits: Admits | None,
        **options: Any,
    ) -> None:
        super().__init__(server, **options)
        self._answer_broken = answer_broken
        self._bounds = bounds
        self._admits = admits
        self._has_unfinished_headers = False

    @property
    def is_spare(self) -> bool:
        """Whether it waits for a request, or for the rest of one that has been refused."""
        waiter = self._waiter
        return (waiter is not None and not waiter.done()) or not self._keepalive

    @property
    def worth(self) -> tuple[bool, float]:
        """Whether it was ever answered, and when it was last, or when it was opened."""
        return (self._request_count > 0, self._next_keepalive_close_time)

    def cut(self) -> None:
        """Close the connection."""
        self.force_close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._bounds.opened(self)
        if self._admits is not None and not self._admits(transport):
            # No answer: a 4xx would cost the event its life, should it be our list of names that is wrong.
            self.cut()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._bounds.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        _receive(self, data)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            # Some callers end a body with a line break too many.
            if self._has_unfinished_headers or data.strip(b"\r\n"):
                self._has_unfinished_headers = True
                self._bounds.unfinished(self, len(data))
        elif self._has_unfinished_headers:
            self._has_unfinished_headers = False
            self._bounds.finished(self)

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature, here and below
        status: int = 500,  # noqa: ARG002
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer what aiohttp cannot read, or what made a handler fail.

        aiohttp itself would answer 400, which makes Vibes drop the event, and would write the start of the request,
        the endpoint's key included, to the log and into the answer.
        """
        return self._answer_broken(type(exc).__name__)
