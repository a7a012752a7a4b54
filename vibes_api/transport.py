"""HTTP: credentials, limiter, retries, timeouts and the observer, the same for every route."""

from __future__ import annotations

import base64
import itertools
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import aiohttp
from yarl import URL

from vibes_api.answers import MAX_BODY_BYTES, Answer, RawAnswer, read_answer
from vibes_api.bodies import encode_body
from vibes_api.errors import ConnectionFailed, InvalidRequest, MalformedResponse, TimedOut, VibesError
from vibes_api.hooks import Call, Limiter, Observer
from vibes_api.routes import Route, target
from vibes_api.values import ShapeError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from vibes_api.retry import RetryPolicy
    from vibes_api.values import JsonValue

T = TypeVar("T")


def request_headers(username: str, password: str) -> dict[str, str]:
    """Return the headers of every request. Without X-API-Version Vibes speaks version 1: no country codes."""
    credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {
        "Authorization": f"Basic {credentials}",
        "X-API-Version": "2",
        "Content-Type": "application/json",
        "Accept": "application/json",
    }


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TransportOptions:
    """What a transport is made of. Holds the credentials, hence no repr."""

    root: str
    headers: Mapping[str, str]
    retry: RetryPolicy
    limiter: Limiter | None
    timeout: float
    ssl_context: ssl.SSLContext | None
    observer: Observer | None


@dataclass(frozen=True, slots=True, repr=False)
class _Request:
    route: Route
    url: URL
    body: bytes | None


class Transport:
    """Makes calls: one call is one or more attempts, each attempt is exactly one HTTP request."""

    def __init__(self, options: TransportOptions, session: aiohttp.ClientSession | None) -> None:
        self._options = options
        self._owns_session = session is None
        self._session = session

    def open(self) -> None:
        """Make a session if none was given; needs a running event loop."""
        if not self._owns_session:
            return
        if self._session is not None:
            raise RuntimeError("this VibesClient is open already; enter it once, or make one client per use")
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Close the session if it is our own."""
        if self._owns_session and self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def call(
        self,
        route: Route,
        parse: Callable[[Answer], T],
        *,
        ids: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: JsonValue = None,
    ) -> T:
        """Make a call and return its parsed answer; raise a VibesError once it has failed for good.

        `parse` raises ShapeError for an answer it cannot use.
        """
        request = self._request(route, ids or {}, query or {}, body)
        numbers = itertools.count(1)

        async def attempt() -> T:
            return await self._attempt(request, parse, next(numbers))

        result: T = await self._options.retry.retrying(repeatable=route.repeatable)(attempt)
        return result

    def _request(
        self,
        route: Route,
        ids: Mapping[str, str],
        query: Mapping[str, str],
        body: JsonValue,
    ) -> _Request:
        try:
            address = self._options.root + target(route, ids, query)
            content = None if body is None else encode_body(body)
        except ValueError as error:
            raise InvalidRequest(route.label, reason=str(error)) from None
        # encoded=True: yarl would otherwise decode %2E and its like and change which person is meant.
        return _Request(route, URL(address, encoded=True), content)

    async def _attempt(self, request: _Request, parse: Callable[[Answer], T], number: int) -> T:
        limiter = self._options.limiter
        async with nullcontext() if limiter is None else limiter:
            clock = self._options.retry.clock
            started = clock()
            status: int | None = None
            error: str | None = "interrupted"
            try:
                raw = await self._exchange(request, number)
                status = raw.status
                result = _parsed(raw, parse, route=request.route.label, attempt=number)
            except VibesError as failure:
                status, error = failure.status, failure.kind
                raise
            else:
                error = None
                return result
            finally:
                if self._options.observer is not None:
                    route = request.route
                    took = clock() - started
                    self._options.observer(Call(route.method, route.label, status, took, number, error))

    async def _exchange(self, request: _Request, number: int) -> RawAnswer:
        if self._session is None:
            raise RuntimeError("VibesClient has no session: use `async with VibesClient(...)` or pass one")
        route, status = request.route, None
        failure: VibesError
        try:
            async with self._session.request(
                route.method,
                request.url,
                data=request.body,
                headers=self._options.headers,
                allow_redirects=False,
                raise_for_status=False,
                timeout=aiohttp.ClientTimeout(total=self._options.timeout),
                ssl=self._options.ssl_context or True,
                middlewares=(_without_silent_resend,),
                # For whoever traces the session: a name for the call, without the ids that are in its address.
                trace_request_ctx=route.label,
            ) as response:
                status = response.status
                return RawAnswer(status, response.headers, await _bounded(response.content))
        except TimeoutError:
            reason = f"no complete answer within {self._options.timeout:g} s"
            failure = TimedOut(route.label, status=status, reason=reason, attempt=number)
        except (aiohttp.ClientError, OSError) as error:
            failure = ConnectionFailed(
                route.label,
                status=status,
                reason=_described(error),
                attempt=number,
                never_processed=isinstance(error, aiohttp.ClientConnectorError),
            )
        # Raised out here so that aiohttp's error, which holds address and headers, is not chained to it.
        raise failure


def _parsed(raw: RawAnswer, parse: Callable[[Answer], T], *, route: str, attempt: int) -> T:
    answer = read_answer(raw, route=route, attempt=attempt)
    try:
        return parse(answer)
    except ShapeError as error:
        reason = str(error)
    raise MalformedResponse(route, status=raw.status, reason=reason, attempt=attempt)


async def _bounded(content: aiohttp.StreamReader) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    async for chunk in content.iter_any():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


class _ConnectionLostError(aiohttp.ClientError):
    """A lost connection under a name that aiohttp does not answer with a second request."""


async def _without_silent_resend(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET, PUT or DELETE once more by itself when the connection is lost.

    That request would pass neither the limiter nor the observer, and would double the load of every outage.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        lost = _ConnectionLostError(type(error).__name__)
    raise lost


def _described(error: Exception) -> str:
    """Name a network error without the request's address; the connector's texts hold host and port only."""
    if isinstance(error, (aiohttp.ClientConnectorError, _ConnectionLostError)):
        return str(error)
    return type(error).__name__
