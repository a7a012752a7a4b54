"""A callback can be followed from its request to the call of the Person API: in traces, and in the logs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from runtime.companies import hash_endpoint_key
from tests.integration.person_sync.vibes_stand_in import VibesStandIn, run_vibes
from tests.support.bodies import encoded, subscription_body
from tests.support.collector import Collector, attributes_of, run_collector
from tests.support.ingest import eventually
from tests.support.pipeline import PartProcess, environment_for, part

KEY = "an-endpoint-key-that-is-secret"
PASSWORD = "an-api-password"
MDN = "15551230001"
PARTS = ("ingest", "apply", "person-sync")
WHOLE = {
    "POST /callbacks/{endpoint_key}",
    "publish callbacks",
    "vibes.callbacks,0 send",
    "vibes.callbacks receive",
    "apply callbacks",
    "claim_callbacks",
    "request_person_syncs",
    "vibes.person-sync,person send",
    "vibes.person-sync receive",
    "sync person",
    "person_sync_load",
    "GET /persons/{person_key}",
}
"""The names of some spans of a callback that came alone."""


@dataclass
class Pipeline:
    """All parts, running, with what they tell."""

    collector: Collector
    vibes: VibesStandIn
    parts: dict[str, PartProcess]
    url: str

    def lines(self, event_id: str) -> dict[str, list[dict[str, Any]]]:
        """Return the log lines of each part about an event."""
        return {
            name: [line for line in part.log if line.get("event_id") == event_id] for name, part in self.parts.items()
        }

    async def post(self, *event_ids: str) -> None:
        """Send callbacks at once, each about a person of its own."""
        bodies = [
            encoded(
                subscription_body(
                    event_id=event_id,
                    person={"id": f"P-{event_id}", "person_key": f"K-{event_id}", "mobile_phone": {"mdn": MDN}},
                )
            )
            for event_id in event_ids
        ]
        async with aiohttp.ClientSession() as session:
            answers = await asyncio.gather(*(session.post(self.url, data=body) for body in bodies))
        assert [answer.status for answer in answers] == [202] * len(bodies)


@pytest.fixture
async def pipeline(tmp_path: Path, database_url: str, amqp_url: str) -> AsyncIterator[Pipeline]:
    async with AsyncExitStack() as stack:
        collector = await stack.enter_async_context(run_collector())
        vibes = await stack.enter_async_context(run_vibes())
        environment = {
            **environment_for(tmp_path, database_url, amqp_url, log_level="DEBUG", ingest_port=0),
            "PASSWORD": PASSWORD,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        write_companies(Path(environment["VIBES_PIPELINE_COMPANIES_FILE"]), vibes)
        parts = {name: await stack.enter_async_context(part(name, environment=environment)) for name in PARTS}
        await parts["apply"].logged("apply.consuming", times=3)
        await parts["person-sync"].logged("person_sync.consuming", times=2)
        await parts["ingest"].logged("broker.connected")
        (listening,) = parts["ingest"].events("ingest.listening")
        await eventually(lambda: ready(listening["admin_port"]), "ingest is ready")
        yield Pipeline(collector, vibes, parts, f"http://127.0.0.1:{listening['port']}/callbacks/{KEY}")


def write_companies(file: Path, vibes: VibesStandIn) -> None:
    file.write_text(
        '[[companies]]\ncompany_key = "acme"\nregion = "US"\ndefault_country = "US"\n'
        'extra_source_ranges = ["127.0.0.0/8"]\n'
        f'endpoints = [{{ name = "main", key_sha256 = "{hash_endpoint_key(KEY)}" }}]\n'
        f'api_base_url = "{vibes.url}"\napi_username = "somebody"\napi_password_env = "PASSWORD"\n'
    )


async def ready(admin_port: int) -> bool:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{admin_port}/readyz") as response,
    ):
        return response.status == 200


async def test_a_callback_is_followed_to_the_call_that_comes_of_it_and_nothing_about_persons_is_told(
    pipeline: Pipeline, database_url: str
) -> None:
    collector = pipeline.collector
    pipeline.vibes.add("K-alone", person_key="K-alone", person_id="P-alone", external_person_id="crm-alone")

    # One that comes alone is one trace.
    await pipeline.post("alone")
    await eventually(lambda: len(collector.named("GET /persons/{person_key}")) > 0, "the call is traced")
    (called,) = collector.named("GET /persons/{person_key}")
    await eventually(lambda: collector.trace(called.trace_id) >= WHOLE, f"{WHOLE} are one trace")
    (request,) = collector.named("POST /callbacks/{endpoint_key}")
    assert request.trace_id == called.trace_id
    told = attributes_of(request)
    assert (told["vibes.event_id"], told["http.response.status_code"]) == ("alone", 202)

    # The same in the logs, by the event's id, with the ids of trace and span.
    lines = pipeline.lines("alone")
    assert {"ingest.accepted"} == {line["event"] for line in lines["ingest"]}
    assert {"apply.settled"} == {line["event"] for line in lines["apply"]}
    assert {"person_api.called"} == {line["event"] for line in lines["person-sync"]}
    for found in lines.values():
        assert {line["trace_id"] for line in found} == {called.trace_id.hex()}
    assert lines["apply"][0]["receipt"] == lines["ingest"][0]["receipt"]

    # Of those that come together a message is linked to each.
    burst = [f"together-{number}" for number in range(60)]
    await pipeline.post(*burst)
    await eventually(lambda: len(collector.named("POST /callbacks/{endpoint_key}")) == 61, "all requests are traced")
    requests = {span.span_id for span in collector.named("POST /callbacks/{endpoint_key}")} - {request.span_id}

    def linked() -> set[bytes]:
        published = [span for span in collector.named("publish callbacks") if span.trace_id != request.trace_id]
        return {link.span_id for span in published for link in span.links} | {span.parent_span_id for span in published}

    await eventually(lambda: linked() - {b""} == requests, "each request is linked to its message")
    assert any(len(span.links) > 1 for span in collector.named("publish callbacks"))
    await eventually(lambda: len(pipeline.vibes.requests) == 61, "all persons are asked for", within=30)
    await eventually(lambda: all(pipeline.lines(event)["person-sync"] for event in burst), "and the log tells why")

    # What leaves says nothing about persons, and neither do the logs.
    for process in pipeline.parts.values():
        process.process.terminate()
        assert await process.ended() == 0
    assert collector.services == {f"vibes-pipeline-{name}" for name in PARTS}
    logs = json.dumps([process.log for process in pipeline.parts.values()])
    connection = await asyncpg.connect(database_url)
    persons = [value for row in await connection.fetch("SELECT person_id, person_key FROM persons") for value in row]
    await connection.close()
    for secret in (KEY, PASSWORD, MDN, "crm-alone", *filter(None, persons)):
        assert secret not in logs
        assert not any(secret.encode() in body for body in collector.bodies)
