"""The callback listener: one request in, one answer out, within the deadline."""

import asyncio
from datetime import UTC, datetime
from functools import lru_cache

import structlog
from aiohttp import hdrs, web

from ingest.answers import (
    BROKEN_REQUEST,
    FORBIDDEN,
    NOT_HERE,
    OVERLOADED,
    UNCONFIGURED,
    UNCONFIGURED_SOURCE,
    UNEXPECTED,
    WRONG_METHOD,
    Receipt,
    Refusal,
)
from ingest.body import read_body
from ingest.endpoints import METHODS, Endpoint, Endpoints, hash_of_key
from ingest.groups import Answer
from ingest.headers import worth_keeping
from ingest.peek import peek
from ingest.pending import Pending
from ingest.publisher import Publisher
from ingest.refusal_log import RefusalLog
from ingest.source_ip import Source, find_source
from runtime import metrics
from runtime.settings import Settings
from schemas.broker_message import ReceivedCallback

log = structlog.get_logger()

RECEIPT_HEADER = "X-Receipt-Id"
_DEADLINE_SHARE = 0.95
"""Of the deadline; the rest is for writing the answer."""

_answers = lru_cache(maxsize=1024)(metrics.INGEST_ANSWERS.labels)
"""The counter of an answer; looking it up anew each time costs more than counting."""


class CallbackHandler:
    """Answers requests. Use an instance as the handler of an aiohttp server."""

    def __init__(self, settings: Settings, endpoints: Endpoints, publisher: Publisher) -> None:
        self.draining = False
        self._settings = settings
        self._endpoints = endpoints
        self._publisher = publisher
        self._pending = Pending(settings.ingest_max_pending_callbacks, settings.ingest_max_pending_bytes)
        self._refusals = RefusalLog()
        self._log = log.bind()  # once: the module's logger would bind anew for each accepted callback
        self._loop = asyncio.get_running_loop()
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        metrics.INGEST_IN_FLIGHT.set_function(lambda: self._in_flight)
        metrics.INGEST_PENDING_CALLBACKS.set_function(lambda: self._pending.callbacks)

    async def wait_idle(self) -> None:
        """Wait until no request is without an answer."""
        await self._idle.wait()

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """Answer a request. Never raises for the request's sake: what was not foreseen is a 503."""
        started = self._loop.time()
        self._in_flight += 1
        self._idle.clear()
        source = Source(None)
        company_key = ""
        try:
            source = self.source(request)
            verdict = self._endpoints.judge(request.method, request.path, source)
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
        self._note(request, company_key, source, answer)
        metrics.INGEST_ANSWER_SECONDS.observe(self._loop.time() - started)
        return self._respond(answer)

    def answer_broken(self, error: str) -> web.Response:
        """Answer what is not HTTP; `error` is what the parser calls it."""
        _answers("", str(BROKEN_REQUEST.status), BROKEN_REQUEST.reason).inc()
        self._refusals.note(BROKEN_REQUEST, error=error)
        return self._respond(BROKEN_REQUEST)

    def source(self, request: web.BaseRequest) -> Source:
        """Return who is calling."""
        forwarded_for = tuple(request.headers.getall(hdrs.X_FORWARDED_FOR, ()))
        return find_source(request.remote or "", forwarded_for, self._settings.ingest_trusted_proxies)

    async def _take(self, request: web.BaseRequest, endpoint: Endpoint, source: Source, started: float) -> Answer:
        deadline = started + self._settings.ingest_deadline_seconds * _DEADLINE_SHARE
        with self._pending.request() as share:
            if self._pending.is_over():
                return OVERLOADED
            body = await read_body(request, self._settings.ingest_max_body_bytes, share, deadline)
            if isinstance(body, Refusal):
                return body
            callback = ReceivedCallback(
                body=body,
                received_at=datetime.now(UTC),
                source_ip=source.text,
                method=request.method,
                endpoint=endpoint.name,
                headers=worth_keeping(request.headers.items()),
            )
            answer = await self._publisher.submit(endpoint.company_key, callback, deadline)
            if isinstance(answer, Receipt):
                self._note_accepted(endpoint, callback, answer)
            return answer

    def _note_accepted(self, endpoint: Endpoint, callback: ReceivedCallback, receipt: Receipt) -> None:
        seen = peek(callback.body, callback.headers.get("content-encoding", ""))
        if seen.unreadable:
            metrics.INGEST_UNREADABLE.labels(endpoint.company_key, seen.unreadable).inc()
        self._log.debug(
            "ingest.accepted",
            company_key=endpoint.company_key,
            endpoint=endpoint.name,
            callback_type=seen.callback_type,
            event_id=seen.event_id,
            unreadable=seen.unreadable,
            receipt=str(receipt),
        )

    def _note(self, request: web.BaseRequest, company_key: str, source: Source, answer: Answer) -> None:
        if isinstance(answer, Receipt):
            _answers(company_key, "202", "accepted").inc()
            return
        _answers(company_key, str(answer.status), answer.reason).inc()
        example = {"source": source.text, "company_key": company_key}
        if answer in (UNCONFIGURED, UNCONFIGURED_SOURCE):
            metrics.INGEST_UNCONFIGURED.inc()
            # The key itself may be one that is about to be configured; its hash is what the companies file holds.
            example["key_sha256"] = hash_of_key(request.path) or "none"
        self._refusals.note(answer, **example)

    def _respond(self, answer: Answer) -> web.Response:
        if isinstance(answer, Receipt):
            response = web.Response(status=202, headers={RECEIPT_HEADER: str(answer)})
        elif answer is WRONG_METHOD:
            response = web.Response(status=answer.status, headers={hdrs.ALLOW: ", ".join(sorted(METHODS))})
        else:
            response = web.Response(status=answer.status)
        if self.draining or answer in (NOT_HERE, FORBIDDEN, BROKEN_REQUEST):
            response.force_close()
        return response
