"""A pipeline under the eyes of a real Prometheus, to which a bit of everything happens that a dashboard shows."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import aio_pika
import asyncpg
import trustme

from deploy.local import postgres as local_postgres
from deploy.local.stack import Stack
from deploy.local.workspace import Workspace
from schemas.topology import Topology
from tests.support.certificates import Files
from tests.support.dashboards import GRAFANA
from tests.support.prometheus import LocalPrometheus

COMPANY = "demo"
PARTS = ("ingest", "apply", "person-sync")
GRAFANA_LOGIN = "vibes_grafana"

_END_WAITING = """
SELECT count(pg_terminate_backend(pid)) FROM pg_sleep(0.02), pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """A running pipeline, and the Prometheus that scrapes it every second."""

    stack: Stack
    prometheus: LocalPrometheus
    began: float
    """Unix time."""

    def simulator(self, method: str, path: str, body: object = None) -> Any:
        """Ask the simulator's control API."""
        return _send(method, f"{self.stack.simulator_url}/_simulator{path}", body)[1]

    def tell_story(self, callbacks: int, **more: object) -> str:
        """Let the simulator send callbacks, duplicates, disorder and malformed bodies among them; return the run."""
        story = {"persons": 120, "malformed": 25, "duplicate_ratio": 0.1, "shuffle_window": 100, "documented": True}
        return str(
            self.simulator("POST", "/runs", {"company_key": COMPANY, "callbacks": callbacks, **story, **more})["id"]
        )

    def change_persons(self, persons: range) -> None:
        """Let the CRM change persons. Vibes refuses one in ten, ingest one record, and one request for its token."""
        records = [
            {
                "external_person_id": f"crm/{number}",
                "mdn": f"+1312555{number:04d}",
                "updated_at": datetime.now(UTC).isoformat(),
                # Vibes has no such field: a conflict.
                "custom_fields": {"shoe_size": "43"} if number % 10 == 0 else {"first_name": f"Name {number}"},
            }
            for number in persons
        ]
        bearer = {"Authorization": f"Bearer {self.stack.companies[COMPANY].crm_token}"}
        _send("POST", self.stack.crm_url, [*records, {"mdn": "nobody's"}], bearer)
        _send("POST", self.stack.crm_url, records, {"Authorization": "Bearer of no token"})

    def call_what_is_not_configured(self) -> None:
        """Call an endpoint that ingest does not know, from an address of Vibes."""
        _send("POST", self.stack.callback_url(COMPANY) + "-of-yesterday", {})

    async def lose_the_route(self) -> None:
        """Take the callbacks' route to their queue away while one comes: its publish is not confirmed."""
        environment = self.stack.environment
        topology = Topology(environment["VIBES_PIPELINE_QUEUE_PREFIX"])
        async with await aio_pika.connect(environment["AMQP_URL"]) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(topology.apply_queue(0).name)
            await queue.unbind(topology.callbacks.name, "0")
            try:
                await asyncio.to_thread(
                    _send, "POST", self.stack.callback_url(COMPANY), {"event_id": "without a route"}
                )
            finally:
                await queue.bind(topology.callbacks.name, "0")

    async def end_a_batch(self) -> None:
        """End the database session of a batch in the midst of it; there have to be callbacks to apply."""
        blocking = await asyncpg.connect(self.stack.database_url)
        ending = await asyncpg.connect(self.stack.database_url)
        try:
            async with asyncio.timeout(60), blocking.transaction():
                await blocking.execute("LOCK TABLE persons IN EXCLUSIVE MODE")
                ended = 0
                while not ended:
                    ended = await ending.fetchval(_END_WAITING)
        finally:
            await blocking.close()
            await ending.close()

    def make_grafana_login(self, password: str) -> subprocess.CompletedProcess[str]:
        """Run deploy/grafana/login.sql, as compose does."""
        psql = local_postgres._programs() / "psql"
        script = f"--file={GRAFANA / 'login.sql'}"
        return subprocess.run(
            [psql, "--no-psqlrc", "--quiet", f"--dbname={self.stack.database_url}", script],
            env=os.environ | {"GRAFANA_DATABASE_PASSWORD": password},
            capture_output=True,
            text=True,
            check=False,
        )

    def grafana_url(self, password: str) -> str:
        """Return the URL with which Grafana reads the database."""
        user = self.stack.postgres.url.partition("//")[2].partition("@")[0]
        return self.stack.database_url.replace(user, f"{GRAFANA_LOGIN}:{password}")


@contextmanager
def watched_pipeline() -> Iterator[Watched]:
    """Start a pipeline, one more ingest process that speaks TLS, and Prometheus."""
    with Stack((COMPANY,)) as stack, Workspace() as workspace:
        ca = trustme.CA()
        files = Files(workspace.path).write(
            ca, ca.issue_cert("localhost", not_after=datetime.now(UTC) + timedelta(days=90))
        )
        tls = {"VIBES_PIPELINE_INGEST_PORT": str(workspace.port())} | {
            f"VIBES_PIPELINE_INGEST_TLS_{name}_FILE": str(path)
            for name, path in {"CERTIFICATE": files.certificate, "KEY": files.key}.items()
        }
        stack.start("ingest-2", tls)
        targets = {f"vibes-{part}": [stack.metrics_url(part)] for part in PARTS}
        targets["vibes-ingest"].append(stack.metrics_url("ingest-2"))
        prometheus = LocalPrometheus(workspace, targets)
        prometheus.start()
        yield Watched(stack, prometheus, datetime.now(UTC).timestamp())


def _send(method: str, url: str, body: object = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Return status and answer, also of a refusal."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)  # noqa: S310
    try:
        with urlopen(request, timeout=30) as response:  # noqa: S310 - ours, on loopback
            content = response.read()
            return response.status, json.loads(content) if content else None
    except HTTPError as error:
        return error.code, error.read()
