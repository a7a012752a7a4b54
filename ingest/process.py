"""The ingest process: listener, publisher and admin port, from start to drain."""

import asyncio
from collections.abc import Awaitable

import structlog
from aiohttp import web

from ingest.certificate import Certificate
from ingest.connections import affordable
from ingest.crm.intake import PATHS, CrmIntake
from ingest.crm.tokens import Tokens
from ingest.endpoints import PREFIX, Endpoints
from ingest.listener import CallbackServer, Handler
from ingest.publisher import Publisher
from ingest.server import CallbackHandler
from runtime.admin import create_admin_app, start_site
from runtime.certificates import show_expiry_of_clients
from runtime.companies import Companies
from runtime.settings import Settings
from runtime.tracing import current

log = structlog.get_logger()

_BACKLOG = 4096
"""A broadcast makes Vibes open many connections at once; the system's own limit applies too."""
_LAST_WRITES_SECONDS = 0.5
"""For answers that are decided to reach their sockets."""
_LEAVE_SECONDS = 3.0
"""For callers with an open connection to send once more over it, and to be told that it closes."""
_LOOK_SECONDS = 0.05
_CRM_SHARE = 0.75
"""Of the drain, for the CRM's requests; the rest is for callbacks that come meanwhile."""


async def serve(settings: Settings, companies: Companies, stop: asyncio.Event, *, reuse_port: bool = False) -> None:
    """Take callbacks, and changes of the CRM, until `stop`, then drain: within `drain_seconds`.

    Listens whether the broker is there or not. Logs `ingest.listening` with the ports, so that port 0 is of use.
    `reuse_port` lets several processes listen on the same port. Raises ConfigurationError when a port cannot be had, or
    a certificate cannot be used.
    """
    show_expiry_of_clients(settings, database=False)
    endpoints = Endpoints(companies)
    publisher = Publisher(settings, [company.company_key for company in companies.companies])
    handler = CallbackHandler(settings, endpoints, publisher)
    tokens = Tokens(companies)
    crm = CrmIntake(settings, tokens, endpoints, handler) if tokens else None
    certificate = Certificate.of(settings)
    server = CallbackServer(
        current().serving(_by_path(handler, crm), _route_of, trust_caller=settings.ingest_trusted_proxies > 0),
        handler.answer_broken,
        affordable(settings.ingest_max_connections),
        certificate.admits if certificate else None,
    )
    callbacks = web.ServerRunner(server, shutdown_timeout=_LAST_WRITES_SECONDS)

    async def ready() -> str | None:
        # The CRM's connection does not count: callbacks are to come here all the same.
        return "draining" if stop.is_set() else publisher.problem()

    admin = web.AppRunner(create_admin_app("ingest", ready), access_log=None, shutdown_timeout=_LAST_WRITES_SECONDS)
    publishing = [asyncio.create_task(item.run()) for item in (publisher, crm) if item]
    renewing = [asyncio.create_task(certificate.keep_current())] if certificate else []
    try:
        port = await start_site(
            callbacks,
            settings.ingest_host,
            settings.ingest_port,
            "VIBES_PIPELINE_INGEST_PORT",
            reuse_port=reuse_port,
            backlog=_BACKLOG,
            ssl_context=certificate.context if certificate else None,
        )
        admin_port = await start_site(
            admin, settings.admin_host, settings.ingest_admin_port, "VIBES_PIPELINE_INGEST_ADMIN_PORT"
        )
        log.info(
            "ingest.listening",
            port=port,
            admin_port=admin_port,
            ingest_id=publisher.ingest_id,
            tls=certificate is not None,
        )
        await _until_stopped(stop, publishing)
        await _drain(settings, handler, crm, server, callbacks, publisher, publishing)
    finally:
        for task in (*publishing, *renewing):
            task.cancel()
        await asyncio.gather(*publishing, *renewing, return_exceptions=True)
        await callbacks.cleanup()
        await admin.cleanup()


def _by_path(callbacks: CallbackHandler, crm: CrmIntake | None) -> Handler:
    """Return the handler of all requests. It costs a callback one look at its path, and nothing without the CRM."""
    if crm is None:
        return callbacks
    return lambda request: crm(request) if request.path in PATHS else callbacks(request)


def _route_of(path: str) -> str:
    """Return what a path is called where its key must not be told."""
    if path.startswith(PREFIX):
        return f"{PREFIX}{{endpoint_key}}"
    return path if path in PATHS else "other"


async def _until_stopped(stop: asyncio.Event, publishing: list[asyncio.Task[None]]) -> None:
    """Wait for `stop`. Raises what ended a publisher, should one end before: they are not meant to."""
    stopping = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait((stopping, *publishing), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        stopping.cancel()


async def _drain(
    settings: Settings,
    handler: CallbackHandler,
    crm: CrmIntake | None,
    server: CallbackServer,
    callbacks: web.ServerRunner,
    publisher: Publisher,
    publishing: list[asyncio.Task[None]],
) -> None:
    """Stop listening, answer what is under way, report what was acknowledged, close the broker connections.

    Requests that still arrive on open connections are served as ever, with `Connection: close`: a 503 would cost their
    events one of Vibes' few tries; and so would closing a connection just when a request comes over it, so each has
    its time to be closed by an answer. Load balancers that need time to notice get it before SIGTERM (a preStop hook).
    """
    began = asyncio.get_running_loop().time()
    deadline = began + settings.drain_seconds
    log.info("ingest.draining")
    handler.draining = True
    for site in callbacks.sites:
        await site.stop()
    if crm:
        await crm.drain(began + settings.drain_seconds * _CRM_SHARE)
    await _within(began + settings.drain_seconds / 2, _LEAVE_SECONDS, _until_left(server))
    await _within(deadline, settings.ingest_deadline_seconds, handler.wait_idle())
    publisher.finish()
    await callbacks.cleanup()
    await _within(deadline, settings.drain_seconds, asyncio.gather(*publishing))
    if lost := publisher.unreported():
        log.warning("ingest.unreported", acknowledged_callbacks=lost)


async def _until_left(server: CallbackServer) -> None:
    """Wait until no connection is open."""
    while server.connections:  # noqa: ASYNC110 - aiohttp announces no end of a connection
        await asyncio.sleep(_LOOK_SECONDS)


async def _within(deadline: float, seconds: float, work: Awaitable[object]) -> None:
    """Wait for `work` for so many seconds, but not past the deadline (in the event loop's time); then give it up."""
    now = asyncio.get_running_loop().time()
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait((task,), timeout=max(0.0, min(seconds, deadline - now)))
    if done:
        task.result()
    else:
        task.cancel()
