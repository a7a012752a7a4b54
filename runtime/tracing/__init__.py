"""Traces, for those who ask for them.

Whether anybody does is told by OpenTelemetry's own variables (`wanted`). If not, nothing of OpenTelemetry is imported,
and what the parts of the pipeline call here does nothing: `Tracing` is that nothing, `OpenTelemetryTracing` the rest
(docs/decisions/0018-traces.md).

| between | the context travels in |
|---|---|
| caller and ingest | the request's headers, if there is a proxy of ours to have set them |
| a request and the broker message it is published with | the headers kept with its callback: a message has many |
| publisher and consumer | the headers of the broker message |
"""

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from aiohttp import web
from structlog.typing import Processor

from schemas.errors import ConfigurationError

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Keep = Callable[[Iterable[tuple[str, str]]], dict[str, str]]
"""Returns which headers of a request are kept with its callback."""
Carrier = Mapping[str, Any]
"""Headers that may carry a context; others in there do not matter."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"
_EXPORTERS = ("otlp", "console")
_NOTHING: AbstractContextManager[None] = nullcontext()
_NO_HEADERS: AbstractContextManager[dict[str, str]] = nullcontext({})


class Tracing:
    """Traces that nobody asked for. Every method does nothing, or returns what it was given."""

    is_on = False
    log_processors: tuple[Processor, ...] = ()
    """Put the ids of the current trace and span into log lines."""

    def serving(self, handler: Handler, route_of: Callable[[str], str], *, trust_caller: bool) -> Handler:  # noqa: ARG002 - see class
        """Return a handler with a span for each request, named after the route of its path.

        `route_of` returns a text with nothing of the caller's in it. `trust_caller`: whether a context in the request's
        headers is continued.
        """
        return handler

    def carrying(self, keep: Keep) -> Keep:
        """Return what keeps the headers that `keep` does and the context of the current span."""
        return keep

    def caused_by(
        self,
        name: str,  # noqa: ARG002 - see class
        carriers: Iterable[Carrier],  # noqa: ARG002
        **attributes: str | int,  # noqa: ARG002
    ) -> AbstractContextManager[None]:
        """Be in a new span. It is the child of its cause if the carriers tell of one, and linked to all if of more."""
        return _NOTHING

    def carried(self) -> dict[str, str]:
        """Return headers that carry the context of the current span."""
        return {}

    def publishing(
        self,
        exchange: str,  # noqa: ARG002 - see class
        routing_key: str,  # noqa: ARG002
        message_id: str,  # noqa: ARG002
    ) -> AbstractContextManager[dict[str, str]]:
        """Be in the span of a publish that aio-pika's Exchange does not do; returns the headers for its message."""
        return _NO_HEADERS

    def continuing(self, carrier: Carrier) -> AbstractContextManager[None]:  # noqa: ARG002 - see class
        """Be in the span that the carrier tells of, somewhere else: spans begun now are its children."""
        return _NOTHING

    def untraced(self) -> AbstractContextManager[None]:
        """Be in no trace, and begin none: for what tells nobody anything."""
        return _NOTHING

    def note(self, **attributes: str | int) -> None:
        """Note something about the current span; empty texts are left out."""

    def stop(self) -> None:
        """Send what is left, within a few seconds, and trace no more."""


class _Current:
    tracing = Tracing()


def current() -> Tracing:
    """Return the tracing of this process."""
    return _Current.tracing


def wanted(environment: Mapping[str, str]) -> str | None:
    """Return where traces are to go, `otlp` or `console`; None: nowhere.

    They are wanted when OTEL_TRACES_EXPORTER says so, or else when there is an endpoint to send them to, unless
    OTEL_SDK_DISABLED is true. Raises ConfigurationError for what this program cannot do.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    named = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    exporter = named or ("otlp" if any(environment.get(name) for name in _ENDPOINTS) else "none")
    if exporter == "none":
        return None
    if exporter not in _EXPORTERS:
        raise ConfigurationError(f"OTEL_TRACES_EXPORTER: {exporter!r} is none of otlp, console, none")
    for name in _PROTOCOLS if exporter == "otlp" else ():
        if environment.get(name, _PROTOCOL) != _PROTOCOL:
            raise ConfigurationError(f"{name}: only {_PROTOCOL} is spoken here (port 4318 of most collectors)")
    return exporter


def start(process: str) -> Tracing:
    """Trace from now on, if the environment asks for it; returns `current()`.

    Before any connection is made: it changes the libraries that make them. `process` (`ingest`, ...) becomes part of
    the service's name, unless OTEL_SERVICE_NAME says another. Raises ConfigurationError.
    """
    exporter = wanted(os.environ)
    if exporter is not None:
        try:
            from runtime.tracing.otel import open_tracing
        except ImportError as error:
            raise ConfigurationError(
                f"traces are asked for (OTEL_*), but {error.name} is not installed; do so with "
                "pip install 'vibes-pipeline[otel]', or set OTEL_SDK_DISABLED=true"
            ) from error
        _Current.tracing = open_tracing(process, exporter)
    return _Current.tracing


def stop() -> None:
    """Undo `start`: see `Tracing.stop`."""
    tracing, _Current.tracing = _Current.tracing, Tracing()
    tracing.stop()
