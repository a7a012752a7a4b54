"""Traces by OpenTelemetry: the ready-made instrumentations of aio-pika, asyncpg and aiohttp's client, and ours.

The instrumentation of aiohttp's server is not used: it is for applications with a router, and ingest has none; it puts
the address, which holds the endpoint's key, into its span; and a Host header that is no host makes it fail, which would
cost a callback its answer.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from threading import Thread
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp import hdrs, web
from opentelemetry import propagate
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aio_pika import AioPikaInstrumentor
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.dependencies import DependencyConflictError
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    format_span_id,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.typing import EventDict, WrappedLogger

from runtime.tracing import Carrier, Handler, Keep, Tracing
from runtime.tracing.exporter import LeavingExporter
from runtime.tracing.leaving import OUR_ATTRIBUTES
from schemas.errors import ConfigurationError

_NAME = "vibes-pipeline"
_METHODS = frozenset({*hdrs.METH_ALL} - {hdrs.METH_ANY})
_SERVER_ERROR = 500
_UNSAMPLED = set_span_in_context(NonRecordingSpan(SpanContext(1, 1, is_remote=False)), Context())
"""The span of a trace that is not sampled, so what follows from it is not either (OTEL_TRACES_SAMPLER willing)."""
_LAST_EXPORT_SECONDS = 3.0
"""A collector that is away must not hold up the end of a process."""


def open_tracing(process: str, exporter: str) -> "OpenTelemetryTracing":
    """Return tracing to `otlp` or `console`, with everything else as OTEL_* says; the libraries are instrumented.

    Raises ConfigurationError when an instrumentation does not fit the library that is installed.
    """
    try:
        return OpenTelemetryTracing(process, ConsoleSpanExporter() if exporter == "console" else OTLPSpanExporter())
    except DependencyConflictError as error:
        raise ConfigurationError(
            f"traces are asked for (OTEL_*), but an instrumentation does not fit: {error}; do "
            "pip install --upgrade 'vibes-pipeline[otel]', or set OTEL_SDK_DISABLED=true"
        ) from error


class OpenTelemetryTracing(Tracing):
    """Traces that somebody asked for. One at a time: the instrumentations are the process's."""

    is_on = True

    def __init__(self, process: str, exporter: SpanExporter) -> None:
        ours = {"service.name": f"{_NAME}-{process}", "service.version": version(_NAME)}
        resource = Resource.create(ours).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._processor = BatchSpanProcessor(LeavingExporter(exporter))
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer(_NAME, version(_NAME))
        self.log_processors = (_add_ids,)
        if "OTEL_PROPAGATORS" not in os.environ:
            # Not baggage, the other default: what a caller puts in there would travel on to Vibes.
            propagate.set_global_textmap(TraceContextTextMapPropagator())
        statements = AsyncPGInstrumentor(capture_parameters=False)  # type: ignore[no-untyped-call]  # it has no types
        self._instrumentors = (AioPikaInstrumentor(), statements, AioHttpClientInstrumentor())
        options = {"tracer_provider": self._provider, "trace_configs": [_named_by_route()]}
        for instrumentor in self._instrumentors:
            instrumentor.instrument(**options, raise_exception_on_conflict=True)

    def serving(self, handler: Handler, route_of: Callable[[str], str], *, trust_caller: bool) -> Handler:
        """See `Tracing.serving`."""

        async def traced(request: web.BaseRequest) -> web.StreamResponse:
            method = request.method if request.method in _METHODS else "_OTHER"
            route = route_of(request.path)
            with self._tracer.start_as_current_span(
                f"{method} {route}",
                propagate.extract(request.headers, Context()) if trust_caller else Context(),
                SpanKind.SERVER,
                {"http.request.method": method, "http.route": route},
            ) as span:
                response = await handler(request)
                span.set_attribute("http.response.status_code", response.status)
                if response.status >= _SERVER_ERROR:
                    span.set_status(Status(StatusCode.ERROR))
                return response

        return traced

    def carrying(self, keep: Keep) -> Keep:
        """See `Tracing.carrying`."""

        def kept(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
            return {**keep(headers), **self.carried()}

        return kept

    def carried(self) -> dict[str, str]:
        """See `Tracing.carried`."""
        headers: dict[str, str] = {}
        propagate.inject(headers)
        return headers

    @contextmanager
    def publishing(self, exchange: str, routing_key: str, message_id: str) -> Iterator[dict[str, str]]:
        """See `Tracing.publishing`. The span is like those of aio-pika's instrumentation."""
        destination = f"{exchange},{routing_key}"
        told = {
            "messaging.system": "rabbitmq",
            "messaging.destination": destination,
            "messaging.message.id": message_id,
        }
        with self._tracer.start_as_current_span(f"{destination} send", kind=SpanKind.PRODUCER, attributes=told):
            yield self.carried()

    @contextmanager
    def caused_by(self, name: str, carriers: Iterable[Carrier], **attributes: str | int) -> Iterator[None]:
        """See `Tracing.caused_by`."""
        parent, links = _causes(carriers)
        with self._tracer.start_as_current_span(name, parent, attributes=_ours(attributes), links=links):
            yield

    @contextmanager
    def continuing(self, carrier: Carrier) -> Iterator[None]:
        """See `Tracing.continuing`."""
        token = attach(propagate.extract(carrier, Context()))
        try:
            yield
        finally:
            detach(token)

    @contextmanager
    def untraced(self) -> Iterator[None]:
        """See `Tracing.untraced`."""
        token = attach(_UNSAMPLED)
        try:
            yield
        finally:
            detach(token)

    def note(self, **attributes: str | int) -> None:
        """See `Tracing.note`."""
        get_current_span().set_attributes(_ours(attributes))

    def stop(self) -> None:
        """See `Tracing.stop`."""
        for instrumentor in self._instrumentors:
            instrumentor.uninstrument()
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(_LAST_EXPORT_SECONDS)


def _causes(carriers: Iterable[Carrier]) -> tuple[Context, list[Link]]:
    """Return the context to begin a span in, and what to link it to.

    Among several causes those of traces that are not sampled do not count, so that the few that are stay whole.
    """
    contexts = [propagate.extract(carrier, Context()) for carrier in carriers]
    found = [(cause, context) for context in contexts if (cause := _span_in(context)).is_valid]
    heard = [each for each in found if each[0].trace_flags.sampled] or found[:1]
    causes = {(cause.trace_id, cause.span_id): (cause, context) for cause, context in heard}
    if len(causes) == 1:
        return heard[0][1], []
    return Context(), [Link(cause) for cause, _ in causes.values()]


def _span_in(context: Context) -> SpanContext:
    return get_current_span(context).get_span_context()


def _ours(attributes: dict[str, str | int]) -> dict[str, str | int]:
    return {f"{OUR_ATTRIBUTES}{name}": value for name, value in attributes.items() if value != ""}


def _add_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    context = get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"], event["span_id"] = format_trace_id(context.trace_id), format_span_id(context.span_id)
    return event


def _named_by_route() -> aiohttp.TraceConfig:
    """Return what names the span of a call by its route (`trace_request_ctx`), not by its address."""

    async def name(_session: aiohttp.ClientSession, call: SimpleNamespace, _told: Any) -> None:
        route = call.trace_request_ctx
        if isinstance(route, str):
            # The instrumentation's span is the current one until this is done: it comes after what is given to it.
            span = get_current_span()
            span.update_name(route)
            span.set_attribute("http.route", route.partition(" ")[2])

    config = aiohttp.TraceConfig()
    config.on_request_end.append(name)
    config.on_request_exception.append(name)
    return config
