"""`POST /crm/persons`: one request in, one answer out, within the CRM's own deadline."""

import asyncio
from datetime import UTC, datetime

import structlog
from aiohttp import hdrs, web

from ingest.answers import DEADLINE, DRAINING, NOT_HERE, OVERLOADED, TOO_LARGE, UNEXPECTED, WRONG_METHOD, Refusal
from ingest.body import read_body
from ingest.crm.inflate import NO_ENCODING, inflate
from ingest.crm.options import Options, read_options
from ingest.crm.publisher import CrmPublisher
from ingest.crm.records import read_records
from ingest.crm.refusals import MAX_RECORDS, CannotTakeError, too_large, too_many, unavailable
from ingest.crm.responses import error, fill, respond, respond_refused
from ingest.crm.tokens import Client, Tokens
from ingest.crm.turns import Turns
from ingest.crm.verdicts import Verdicts
from ingest.endpoints import Endpoints
from ingest.pending import Pending, Share
from ingest.refusal_log import RefusalLog
from ingest.server import CallbackHandler
from runtime import metrics
from runtime.settings import Settings

log = structlog.get_logger()

PATHS = frozenset({"/crm/persons", "/crm/persons/"})

_REQUESTS_AT_A_TIME = 100
_BODIES_AT_A_TIME = 4
"""So many bodies of the largest size fit into memory, packed and unpacked ones alike."""
_DEADLINE_SHARE = 0.95
"""Of the deadline; the rest is for writing the answer."""
_BODY_SHARE = 0.6
"""Of the deadline; the rest is for reading the records and storing them."""
_HOW_TO_CALL = "changes are sent with the header Authorization: Bearer TOKEN, and a token that is configured here"


class CrmIntake:
    """Answers requests. Use an instance as a handler of an aiohttp server."""

    def __init__(
        self,
        settings: Settings,
        tokens: Tokens,
        endpoints: Endpoints,
        callbacks: CallbackHandler,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._endpoints = endpoints
        self._callbacks = callbacks
        self._publisher = CrmPublisher(settings)
        self._max_bytes = settings.ingest_crm_max_body_bytes
        self._pending = Pending(_REQUESTS_AT_A_TIME, _BODIES_AT_A_TIME * self._max_bytes)
        self._turns = Turns()
        self._refusals = RefusalLog()
        self._loop = asyncio.get_running_loop()
        self._draining = False
        self._under_way: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self) -> None:
        """Keep the connection to the broker until `drain` is done. Never raises for the broker's sake."""
        await self._publisher.run()

    async def drain(self, deadline: float) -> None:
        """Take no more requests; answer those under way by `deadline` (in the event loop's time)."""
        self._draining = True
        for timeout in self._under_way:
            if not timeout.expired():
                timeout.reschedule(min(deadline, timeout.when() or deadline))
        await self._idle.wait()
        self._publisher.finish()

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """Answer a request. Never raises for the request's sake."""
        client = self._tokens.find(request.headers.get(hdrs.AUTHORIZATION))
        if client is None:
            return await self._turn_away(request)
        company_key = client.company.company_key
        try:
            response = self._accept(await self._in_time(request, client), client)
        except CannotTakeError as refused:
            response = self._refuse(refused, company_key=company_key, token=client.token_name)
        except Exception:
            log.exception("ingest.unexpected_error")
            response = self._refuse(unavailable(UNEXPECTED), company_key=company_key, token=client.token_name)
        metrics.INGEST_CRM_REQUESTS.labels(company_key, str(response.status)).inc()
        if self._draining:
            response.force_close()
        return response

    async def _turn_away(self, request: web.BaseRequest) -> web.Response:
        """Answer somebody without a valid token.

        It may be Vibes, calling a wrong URL: a 4xx would destroy the event. So whoever calls from an address of Vibes,
        or cannot be seen, is answered as at any path that is no endpoint: 503, counted by the alert metric. The CRM
        itself, with a wrong token at such an address (in a trial, all of this machine), is answered so too; only the
        text, which Vibes does not read, is for it.
        """
        source = self._callbacks.source(request)
        verdict = self._endpoints.judge(request.method, request.path, source)
        if isinstance(verdict, Refusal) and verdict is not NOT_HERE:
            refused = self._callbacks.refuse(request, source, verdict)
            return fill(
                refused, error("no_valid_token", f"{_HOW_TO_CALL} (503 because Vibes may call from this address)")
            )
        reason = "unknown_token" if hdrs.AUTHORIZATION in request.headers else "no_token"
        response = self._refuse(CannotTakeError(401, reason, _HOW_TO_CALL), source=source.text)
        metrics.INGEST_CRM_REQUESTS.labels("", "401").inc()
        response.force_close()
        return response

    async def _in_time(self, request: web.BaseRequest, client: Client) -> Verdicts:
        timeout = asyncio.timeout(self._settings.ingest_crm_deadline_seconds * _DEADLINE_SHARE)
        try:
            async with timeout:
                self._under_way.add(timeout)
                self._idle.clear()
                return await self._take(request, client)
        except TimeoutError:
            raise unavailable(DRAINING if self._draining else DEADLINE) from None
        finally:
            self._under_way.discard(timeout)
            if not self._under_way:
                self._idle.set()

    async def _take(self, request: web.BaseRequest, client: Client) -> Verdicts:
        if request.method != hdrs.METH_POST:
            raise CannotTakeError(405, WRONG_METHOD.reason, "changes are sent with POST")
        if self._draining:
            raise unavailable(DRAINING)
        options = read_options(request.query)
        with self._pending.request() as share:
            if self._pending.is_over():
                raise unavailable(OVERLOADED)
            verdicts = await self._judge(await self._body(request, share), request.content_type, client, options)
            for parcel in verdicts.parcels:
                if refusal := await self._publisher.publish(parcel):
                    raise unavailable(refusal)
        return verdicts

    async def _body(self, request: web.BaseRequest, share: Share) -> bytes:
        arrival = self._loop.time() + self._settings.ingest_crm_deadline_seconds * _BODY_SHARE
        body = await read_body(request, self._max_bytes, share, arrival)
        if isinstance(body, Refusal):
            raise too_large(self._max_bytes) if body is TOO_LARGE else unavailable(body)
        encoding = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
        if encoding in NO_ENCODING:
            return body
        pieces = []
        async with self._turns.turn() as turn:
            for piece in inflate(body, encoding, self._max_bytes):
                if not share.grow(len(piece)):
                    raise unavailable(OVERLOADED)
                pieces.append(piece)
                await turn.pause()
        return b"".join(pieces)

    async def _judge(self, body: bytes, content_type: str, client: Client, options: Options) -> Verdicts:
        received_at = datetime.now(UTC)
        verdicts = Verdicts(client.company, received_at, bulk=options.bulk, only_refused=options.only_refused)
        async with self._turns.turn() as turn:
            for record in read_records(body, content_type):
                if record is not None:
                    if verdicts.count == MAX_RECORDS:
                        raise too_many()
                    verdicts.add(record)
                await turn.pause()
        verdicts.close()
        return verdicts

    def _accept(self, verdicts: Verdicts, client: Client) -> web.Response:
        """Count, log and answer what became of a request's records."""
        company_key = client.company.company_key
        refused = verdicts.refused.total()
        metrics.INGEST_CRM_CHANGES.labels(company_key, "accepted").inc(verdicts.accepted)
        metrics.INGEST_CRM_CHANGES.labels(company_key, "refused").inc(refused)
        log.debug(
            "ingest.crm_answered",
            company_key=company_key,
            token=client.token_name,
            accepted=verdicts.accepted,
            refused=dict(verdicts.refused),
            messages=[str(parcel.message_id) for parcel in verdicts.parcels],
        )
        return respond(422 if refused and not verdicts.accepted else 202, verdicts.answer())

    def _refuse(self, refused: CannotTakeError, **example: str) -> web.Response:
        self._refusals.note(Refusal(refused.status, refused.reason), use="crm", **example)
        return respond_refused(refused)
