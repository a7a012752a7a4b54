"""Traces: nothing where nobody asks for them, and nothing about persons where somebody does."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer, make_mocked_request
from opentelemetry.instrumentation.aio_pika import AioPikaInstrumentor
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, get_current_span

from runtime import tracing
from runtime.tracing import Tracing, otel, wanted
from runtime.tracing.leaving import leaving
from runtime.tracing.otel import OpenTelemetryTracing
from schemas.errors import ConfigurationError

KEY = "s3cret-endpoint-key"
SAMPLED = TraceFlags(TraceFlags.SAMPLED)
MDN = "+15551230001"


class Traced:
    """Tracing whose spans are kept here."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        exporter: SpanExporter = self._exporter
        self.tracing = OpenTelemetryTracing("test", exporter)

    def spans(self) -> list[ReadableSpan]:
        """Return what has left by now."""
        assert self.tracing._provider.force_flush()
        return list(self._exporter.get_finished_spans())

    def begin(self, name: str) -> dict[str, str]:
        """Be in a span for a moment; return what carries its context."""
        with self.tracing.caused_by(name, ()):
            return self.tracing.carried()


@pytest.fixture
def traced() -> Iterator[Traced]:
    traced = Traced()
    try:
        yield traced
    finally:
        traced.tracing.stop()


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


# whether


@pytest.mark.parametrize(
    ("environment", "exporter"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "x"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, None),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, None),
    ],
)
def test_traces_are_wanted_when_the_conventional_variables_say_so(
    environment: Mapping[str, str], exporter: str | None
) -> None:
    assert wanted(environment) == exporter


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "OTEL_TRACES_EXPORTER: 'jaeger' is none of otlp, console, none"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "only http/protobuf is spoken"),
    ],
)
def test_what_cannot_be_done_is_a_wrong_configuration(environment: Mapping[str, str], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        wanted(environment)


def test_traces_without_the_package_are_a_wrong_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.delitem(sys.modules, "runtime.tracing.otel")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match=r"not installed.*pip install 'vibes-pipeline\[otel\]'"):
        tracing.start("ingest")


def test_an_instrumentation_for_another_version_of_its_library_is_a_wrong_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AioPikaInstrumentor, "instrumentation_dependencies", lambda _self: ("aio_pika < 10",))
    with pytest.raises(ConfigurationError, match=r"does not fit: .*aio_pika < 10.*pip install --upgrade"):
        otel.open_tracing("ingest", "console")


def test_without_traces_nothing_of_opentelemetry_is_imported() -> None:
    looked = "import sys, ingest.process, workers.apply.process, workers.person_sync.process, cli.processes"
    told = subprocess.run(
        [sys.executable, "-c", f"{looked}; print([name for name in sys.modules if 'opentelemetry' in name])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "[]\n"


def test_without_traces_a_request_takes_the_same_way_as_ever() -> None:
    async def handler(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response()

    def keep(headers: object) -> dict[str, str]:
        return {}

    off = Tracing()
    assert off.serving(handler, str, trust_caller=True) is handler
    assert off.carrying(keep) is keep
    with off.caused_by("a", [{}]), off.continuing({}), off.untraced():
        off.note(reason="none")
    assert off.carried() == {}
    assert not tracing.current().is_on


# how spans hang together


async def serve_one(traced: Traced, headers: Mapping[str, str], *, trust_caller: bool = False) -> dict[str, str]:
    """Have a callback served; return the headers kept with it."""
    kept: dict[str, str] = {}
    keep = traced.tracing.carrying(lambda _headers: {"x-vibes": "1"})

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        kept.update(keep(request.headers.items()))
        traced.tracing.note(event_id="e1", unreadable="")
        return web.Response(status=202)

    serving = traced.tracing.serving(handler, lambda _path: "/callbacks/{endpoint_key}", trust_caller=trust_caller)
    await serving(make_mocked_request("POST", f"/callbacks/{KEY}?{MDN}", headers=headers))
    return kept


async def test_a_request_is_a_span_named_by_its_route_and_its_callback_carries_the_context(traced: Traced) -> None:
    kept = await serve_one(traced, {})
    (span,) = traced.spans()
    assert (span.name, span.kind, span.parent) == ("POST /callbacks/{endpoint_key}", SpanKind.SERVER, None)
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.route": "/callbacks/{endpoint_key}",
        "http.response.status_code": 202,
        "vibes.event_id": "e1",
    }
    assert kept["x-vibes"] == "1"
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" in kept["traceparent"]


@pytest.mark.parametrize("trust_caller", [True, False])
async def test_a_callers_context_is_continued_only_behind_a_proxy_of_ours(traced: Traced, trust_caller: bool) -> None:
    theirs = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    await serve_one(traced, theirs, trust_caller=trust_caller)
    (span,) = traced.spans()
    assert (span.parent is not None) is trust_caller


def test_what_has_one_cause_is_its_child(traced: Traced) -> None:
    carrier = traced.begin("request")
    with traced.tracing.caused_by("publish", [carrier, dict(carrier), {}]):
        pass
    request, publish = traced.spans()
    assert publish.parent is not None
    assert publish.parent.span_id == request.context.span_id
    assert not publish.links


def test_what_has_several_causes_is_a_trace_of_its_own_linked_to_them(traced: Traced) -> None:
    carriers = [traced.begin(f"request {number}") for number in range(3)]
    unsampled = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00"}
    with traced.tracing.caused_by("publish", [*carriers, unsampled], callbacks=4):
        pass
    *requests, publish = traced.spans()
    assert publish.parent is None
    assert [link.context.span_id for link in publish.links] == [request.context.span_id for request in requests]
    assert attributes(publish) == {"vibes.callbacks": 4}


def test_what_is_not_sampled_does_not_take_the_one_that_is_apart(traced: Traced) -> None:
    unsampled = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00"}
    with traced.tracing.caused_by("apply", [unsampled, traced.begin("request"), unsampled]):
        pass
    request, apply = traced.spans()
    assert apply.parent is not None
    assert apply.parent.span_id == request.context.span_id


def test_what_tells_nobody_anything_is_in_no_trace_and_neither_is_what_follows_from_it(traced: Traced) -> None:
    with traced.tracing.untraced():
        carrier = traced.tracing.carried()
    with traced.tracing.caused_by("apply", [carrier]):
        pass
    assert traced.spans() == []


def test_log_lines_tell_trace_and_span(traced: Traced) -> None:
    (add_ids,) = traced.tracing.log_processors
    with traced.tracing.caused_by("apply", ()):
        context = get_current_span().get_span_context()
        inside = add_ids(None, "info", {"event": "x"})
    assert inside == {"event": "x", "trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    assert add_ids(None, "info", {"event": "x"}) == {"event": "x"}


async def test_a_call_is_named_by_its_route_and_its_address_stays_here(traced: Traced) -> None:
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=404)

    route = "GET /persons/{person_key}"
    async with RawTestServer(answer) as server, aiohttp.ClientSession() as session:
        await session.get(server.make_url(f"/persons/{MDN}"), trace_request_ctx=route)
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:1/persons/{MDN}", trace_request_ctx=route)
    answered, failed = traced.spans()
    assert [span.name for span in (answered, failed)] == [route, route]
    assert attributes(answered)["http.status_code"] == 404
    assert attributes(answered)["http.route"] == "/persons/{person_key}"
    assert failed.status.status_code is StatusCode.ERROR
    assert MDN not in answered.to_json() + failed.to_json()


def test_the_service_is_named_after_the_process_unless_the_environment_names_it(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced.begin("a")
    assert traced.spans()[0].resource.attributes["service.name"] == "vibes-pipeline-test"
    traced.tracing.stop()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "ours")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=prod")
    again = Traced()
    again.begin("a")
    resource = again.spans()[0].resource.attributes
    again.tracing.stop()
    assert (resource["service.name"], resource["deployment.environment"]) == ("ours", "prod")


async def test_the_end_does_not_wait_long_for_a_collector_that_is_away(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otel, "_LAST_EXPORT_SECONDS", 0.2)
    ended = threading.Event()

    class Away(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - the interface
            ended.wait(30)
            return SpanExportResult.FAILURE

    traced.tracing.stop()
    away = OpenTelemetryTracing("test", Away())
    with away.caused_by("a", ()):
        pass
    began = asyncio.get_running_loop().time()
    away.stop()
    assert asyncio.get_running_loop().time() - began < 5
    ended.set()


# what leaves


STATEMENT = "-- Put persons into the outbox\nINSERT INTO persons SELECT $1"
NAMES = {STATEMENT: "request_person_syncs"}
PARENT = SpanContext(1, 2, is_remote=False, trace_flags=SAMPLED)


CONTEXT = SpanContext(1, 3, is_remote=False, trace_flags=SAMPLED)


def test_attributes_leave_only_if_they_are_known_to_tell_nothing_of_a_person() -> None:
    kept: dict[str, str | int] = {
        "http.method": "GET",
        "http.status_code": 404,
        "vibes.event_id": "e1",
        "net.peer.name": "vibes.example",
    }
    told = {"http.url": f"https://v/{MDN}", "http.target": KEY, "url.query": MDN, "from.the.future": MDN}
    left = leaving(ReadableSpan("GET", CONTEXT, PARENT, attributes={**kept, **told}), NAMES)
    assert left is not None
    assert attributes(left) == kept


@pytest.mark.parametrize("key", ["db.statement", "db.query.text"])
def test_a_statement_leaves_by_its_name_only(key: str) -> None:
    span = ReadableSpan("--", CONTEXT, PARENT, attributes={"db.system": "x", key: STATEMENT})
    left = leaving(span, NAMES)
    assert left is not None
    assert left.name == "request_person_syncs"
    assert attributes(left) == {"db.system": "x", "db.query.summary": "request_person_syncs"}


@pytest.mark.parametrize(("name", "left_as"), [("BEGIN;", "BEGIN;"), ("SELECT", "SELECT"), (f"'{MDN}'", "SQL")])
def test_a_statement_without_a_name_leaves_without_its_text(name: str, left_as: str) -> None:
    attributes_ = {"db.system": "x", "db.statement": f"SELECT '{MDN}'", "db.statement.parameters": MDN}
    left = leaving(ReadableSpan(name, CONTEXT, PARENT, attributes=attributes_), NAMES)
    assert left is not None
    assert left.name == left_as
    assert MDN not in left.to_json()


def test_a_statement_that_is_part_of_nothing_does_not_leave() -> None:
    assert leaving(ReadableSpan("SELECT", attributes={"db.system": "postgresql"}), NAMES) is None


def test_of_an_error_only_its_class_leaves() -> None:
    event = Event("exception", {"exception.type": "UniqueViolationError", "exception.message": MDN})
    span = ReadableSpan(
        "apply",
        CONTEXT,
        events=[event, Event("exception", {"exception.stacktrace": MDN})],
        links=[Link(PARENT, {"x": MDN})],
        status=Status(StatusCode.ERROR, f"UniqueViolationError: ({MDN}) already exists"),
    )
    left = leaving(span, NAMES)
    assert left is not None
    assert left.status.description == "UniqueViolationError"
    assert [dict(each.attributes or {}) for each in left.events] == [{"exception.type": "UniqueViolationError"}, {}]
    assert MDN not in left.to_json()


def test_the_collector_is_told_of_an_error_without_the_words_of_it(traced: Traced) -> None:
    with pytest.raises(ValueError, match="555"), traced.tracing.caused_by("apply", ()):
        raise ValueError(MDN)
    (span,) = traced.spans()
    assert span.status.description == "ValueError"
    assert MDN not in span.to_json()
