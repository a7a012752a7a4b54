"""The callback listener: one request in, one answer out, within the deadline."""

import asyncio
from datetime import UTC, datetime

import structlog
from aiohttp import hdrs, web
from aiohttp.http import RawRequestMessage

from ingest.answers import (
    BROKEN_REQUEST,
    OVERLOADED,
    UNCONFIGURED,
    UNCONFIGURED_SOURCE,
    UNEXPECTED,
    Receipt,
    Refusal,
)
from ingest.body import read_at_once, read_body
from ingest.endpoints import Endpoint, Endpoints, hash_of_key
from ingest.groups import Answer
from ingest.headers import worth_keeping
from ingest.parsed import parsed
from ingest.peek import peek, why_unreadable
from ingest.pending import Pending
from ingest.publisher import Publisher
from ingest.refusal_log import RefusalLog
from ingest.responses import refuse, respond
from ingest.source_ip import Source, find_source
from runtime import metrics, tracing
from runtime.settings import Settings
from schemas.broker_message import ReceivedCallback

log = structlog.get_logger()

_DEADLINE_SHARE = 0.95
"""Of the deadline; the rest is for writing the answer."""

_NOBODY = Source(None)
_MOST_REMEMBERED = 1024
_LONGEST_REMEMBERED = 256
"""Characters of a request's target."""


class CallbackHandler:
    """Answers requests. Use an instance as the handler of an aiohttp server."""

    def __init__(self, settings: Settings, endpoints: Endpoints, publisher: Publisher) -> None:
        self.draining = False
        self._settings = settings
        self._endpoints = endpoints
        self._publisher = publisher
        self._pending = Pending(settings.ingest_max_pending_callbacks, settings.ingest_max_pending_bytes)
        self._refusals = RefusalLog()
        self._admitted: dict[tuple[str, str, str | None, tuple[str, ...]], tuple[Source, Endpoint]] = {}
        self._keep = tracing.current().carrying(worth_keeping)
        self._tells_each = settings.log_level == "DEBUG" or tracing.current().is_on
        self._loop = asyncio.get_running_loop()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        metrics.INGEST_IN_FLIGHT.set_function(lambda: self._in_flight)
        metrics.INGEST_PENDING_CALLBACKS.set_function(lambda: self._pending.callbacks)

    async def wait_idle(self) -> None:
        """Wait until no request is without an answer."""
        await self._idle.wait()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request. Never raises for the request's sake: what was not foreseen is a 503."""
        started = self._loop.time()
        if not self._in_flight:
            self._idle.clear()
        self._in_flight += 1
        source = _NOBODY
        company_key = ""
        try:
            source, verdict = self._admit(request)
            if isinstance(verdict, Refusal):
                answer: Answer = verdict
            else:
                company_key = verdict.company_key
                answer = await self._take(request, verdict, source, started)
        except Exception:
            log.exception("ingest.unexpected_error")
            answer = UNEXPECTED
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()
        if isinstance(answer, Refusal):
            self._note_refused(request, company_key, source, answer)
        metrics.INGEST_ANSWER_SECONDS.observe(self._loop.time() - started)
        return respond(request, answer, draining=self.draining)

    def refuse(self, request: web.BaseRequest, source: Source, refusal: Refusal) -> web.Response:
        """Refuse a request that came in at another place than an endpoint."""
        self._note_refused(request, "", source, refusal)
        return refuse(refusal, close=self.draining)

    def answer_broken(self, error: str) -> web.Response:
        """Answer what is not HTTP; `error` is what the parser calls it."""
        metrics.INGEST_ANSWERS.labels("", str(BROKEN_REQUEST.status), BROKEN_REQUEST.reason).inc()
        self._refusals.note(BROKEN_REQUEST, error=error)
        return refuse(BROKEN_REQUEST)

    def source(self, request: web.BaseRequest) -> Source:
        """Return who is calling."""
        return self._source(request.remote, _forwarded_for(parsed(request)))

    def _source(self, peer: str | None, forwarded_for: tuple[str, ...]) -> Source:
        return find_source(peer or "", forwarded_for, self._settings.ingest_trusted_proxies)

    def _admit(self, request: web.BaseRequest) -> tuple[Source, Endpoint | Refusal]:
        """Return who is calling, and where to, or why the request may not come in.

        What was admitted is remembered: Vibes calls a few places from a few addresses. What was refused is not, so
        strangers cannot fill the memory.
        """
        message = parsed(request)
        calls = (message.method, message.path, request.remote, _forwarded_for(message))
        if (known := self._admitted.get(calls)) is not None:
            return known
        source = self._source(*calls[2:])
        verdict = self._endpoints.judge(message.method, request.path, source)
        if isinstance(verdict, Endpoint) and len(message.path) <= _LONGEST_REMEMBERED:
            if len(self._admitted) >= _MOST_REMEMBERED:
                self._admitted.clear()
            self._admitted[calls] = source, verdict
        return source, verdict

    async def _take(self, request: web.BaseRequest, endpoint: Endpoint, source: Source, started: float) -> Answer:
        deadline = started + self._settings.ingest_deadline_seconds * _DEADLINE_SHARE
        with self._pending.request() as share:
            body = read_at_once(request, self._settings.ingest_max_body_bytes)
            if body is None:
                if self._pending.is_over():
                    return OVERLOADED
                body = await read_body(request, self._settings.ingest_max_body_bytes, share, deadline)
            elif isinstance(body, bytes) and not share.grow(len(body)):
                return OVERLOADED
            if isinstance(body, Refusal):
                return body
            message = parsed(request)
            # By position: with names it takes nearly twice as long.
            callback = ReceivedCallback(
                body,
                datetime.now(UTC),
                source.text,
                message.method,
                endpoint.name,
                self._keep(message.headers.items()),
            )
            taken = self._publisher.submit(endpoint.company_key, callback, deadline)
            answer = taken if isinstance(taken, Refusal) else await taken
            if isinstance(answer, Receipt):
                self._note_accepted(endpoint, callback, answer)
            return answer

    def _note_accepted(self, endpoint: Endpoint, callback: ReceivedCallback, receipt: Receipt) -> None:
        encoding = callback.headers.get("content-encoding", "")
        unreadable = why_unreadable(callback.body, encoding)
        if unreadable:
            metrics.INGEST_UNREADABLE.labels(endpoint.company_key, unreadable).inc()
        if self._tells_each:
            seen = peek(callback.body, encoding)
            told = {
                "company_key": endpoint.company_key,
                "endpoint": endpoint.name,
                "callback_type": seen.callback_type,
                "event_id": seen.event_id,
                "unreadable": unreadable or "",
                "receipt": str(receipt),
            }
            tracing.current().note(**told)
            log.debug("ingest.accepted", **told)

    def _note_refused(self, request: web.BaseRequest, company_key: str, source: Source, refusal: Refusal) -> None:
        metrics.INGEST_ANSWERS.labels(company_key, str(refusal.status), refusal.reason).inc()
        tracing.current().note(company_key=company_key, reason=refusal.reason)
        example = {"source": source.text, "company_key": company_key}
        if refusal in (UNCONFIGURED, UNCONFIGURED_SOURCE):
            metrics.INGEST_UNCONFIGURED.inc()
            # The key itself may be one that is about to be configured; its hash is what the companies file holds.
            example["key_sha256"] = hash_of_key(request.path) or "none"
        self._refusals.note(refusal, **example)


def _forwarded_for(message: RawRequestMessage) -> tuple[str, ...]:
    return tuple(message.headers.getall(hdrs.X_FORWARDED_FOR, ()))
