"""No log, metric, output or error text shows personal data or a secret, whatever happens and at every log level.

All that the pipeline does is done with data that can be recognised: callbacks of every kind, malformed ones, changes of
the CRM, conflicts, faults of the Person API, values the database refuses, an erasure, dead letters, broken connections,
broken HTTP and wrong configurations. Then everything that any process wrote is searched.
"""

import asyncio
import csv
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import aio_pika
import asyncpg
import orjson
import pytest

from deploy.local.postgres import LocalPostgres
from deploy.local.rabbitmq import LocalRabbitMQ
from deploy.local.stack import Stack
from schemas.topology import Topology
from tests.support.marked import WORD, Marks, marked_bodies, mdn

pytestmark = pytest.mark.timeout(300)  # some twenty seconds of work, on a machine that may have other work

SECRET = f"secret-{WORD}"
SETTINGS = {
    "VIBES_PIPELINE_LOG_LEVEL": "DEBUG",
    "VIBES_PIPELINE_PERSON_API_TIMEOUT_SECONDS": "0.5",
    "VIBES_PIPELINE_PERSON_API_ATTEMPTS": "2",
    "VIBES_PIPELINE_PERSON_SYNC_SWEEP_SECONDS": "0.2",
}
FAULTS = {
    "error_rate": 0.15,
    "too_many_requests_rate": 0.1,
    "hang_rate": 0.1,
    "hang_seconds": 1.0,
    "reset_rate": 0.1,
    "wrong_body_rate": 0.2,
}
UNREADABLE = [
    b'{"event_id": "m1", "callback_type": "person_added", "person": {"external_person_id": "person-qzx7", ',
    b'["qzx7"]',
    b'{"event_id": "m2", "callback_type": "qzx7", "person": {"mdn": "+13125559001"}}',
    b'{"event_id": "m3", "callback_type": "subscription_added", "subscription": "qzx7"}',
    b'{"event_id": "m4", "callback_type": "subscription_added", "subscription": {"person": {"name": "qzx7"}}}',
    b'{"event_id": "m5-qzx7\xff\xfe", "callback_type": "person_added"}',
    b'{"event_id": "m6", "callback_type": "person_added", "person": {"person_id": NaN, "name": "qzx7"}}',
    b'{"event_id": "m7", "callback_type": "person_added", "person": {"person_id": "\\ud800qzx7"}}',
    b"qzx7 +1 (312) 555-9002",
]
ODD = [
    b'{"event_id":"o1","callback_type":"person_added","person":{"person_id":"o-qzx7","custom_fields":{"a":1e200000}}}',
    b'{"event_id":"o2","callback_type":"person_added","person":{"person_id":"o\\u0000qzx7","mobile_phone":{"mdn":7}}}',
    b'{"event_id":"o3","callback_type":"person_added","event_date":"qzx7","person":{"person_id":"o3-qzx7"}}',
    b'{"event_id":"o4","callback_type":"person_added","person":{"person_id":"' + b"qzx7" * 5000 + b'"}}',
]
REFUSED_EVENT = "event-the-database-refuses"
WRONG_CONFIGURATIONS = {
    "a password with a slash": {"DATABASE_URL": f"postgresql://u:7/{SECRET}@127.0.0.1:1/x"},
    "a password with a colon": {"DATABASE_URL": f"postgresql://u:a:{SECRET}@127.0.0.1:x{SECRET}/x"},
    "another scheme": {"DATABASE_URL": f"mysql://u:{SECRET}@127.0.0.1:1/x"},
    "nobody there": {"DATABASE_URL": f"postgresql://u:{SECRET}@127.0.0.1:1/x"},
    "a broker's password with a slash": {"AMQP_URL": f"amqp://u:7/{SECRET}@127.0.0.1:1/"},
    "a broker with another scheme": {"AMQP_URL": f"http://u:{SECRET}@127.0.0.1:1/"},
    "no broker there": {"AMQP_URL": f"amqp://u:{SECRET}@127.0.0.1:1/"},
    "a secret in the wrong place": {"VIBES_PIPELINE_INGEST_PORT": SECRET},
}
_URL = "https://callbacks.acme-brand.com/callbacks/${ENDPOINT_KEY}"


class Scene:
    """The stack, what its commands said, and the marks to search for."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        (self.company,) = stack.companies.values()
        passwords = [urlsplit(stack.environment[name]).password or "" for name in ("DATABASE_URL", "AMQP_URL")]
        api_login = f"{self.company.company_key}@example.com:{self.company.password}"
        own = (self.company.endpoint_key, self.company.password, self.company.crm_token, api_login)
        self.marks = Marks([*own, *filter(None, passwords)])
        self.written: dict[str, str] = {}
        """By who wrote it."""

    def post(self, path: str, body: bytes, **headers: str) -> int:
        """Send a request to ingest; return the status."""
        url = f"http://127.0.0.1:{self.stack.ingest_port}{path}"
        try:
            with urlopen(Request(url, body, {"X-Note": WORD, **headers}), timeout=10) as response:
                return int(response.status)
        except HTTPError as error:
            return error.code

    def callback(self, body: bytes, **headers: str) -> None:
        assert self.post(f"/callbacks/{self.company.endpoint_key}", body, **headers) == 202

    def simulator(self, method: str, path: str, body: object) -> Any:
        url = f"{self.stack.simulator_url}/_simulator{path}"
        with urlopen(Request(url, orjson.dumps(body), method=method), timeout=10) as response:  # noqa: S310 - loopback
            return json.load(response)

    def run(self, *commands: tuple[str, tuple[str, ...], dict[str, str]]) -> None:
        """Run commands (a name, arguments, environment variables) one after the other, and keep what they write."""
        directory = self.stack.directory / "outputs"
        directory.mkdir(exist_ok=True)
        lines = [
            json.dumps({"arguments": arguments, "environment": more, "output": str(directory / name)})
            for name, arguments, more in commands
        ]
        subprocess.run(
            [sys.executable, "-m", "tests.support.run_commands"],
            env=self.stack.environment,
            input="\n".join(lines),
            text=True,
            timeout=100,
            check=True,
        )
        self.written |= {f"output of {name}": (directory / name).read_text() for name, *_ in commands}

    def query(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.stack.database_url)
            try:
                return await connection.fetch(statement, *arguments)
            finally:
                await connection.close()

        return asyncio.run(ask())

    def wait_for(self, what: str, statement: str, within: float = 25.0) -> None:
        """Wait until a query says true."""
        deadline = time.monotonic() + within
        while not self.query(statement)[0][0]:
            assert time.monotonic() < deadline, what
            time.sleep(0.1)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Stack(("acme",), settings=SETTINGS) as stack:
        scene = Scene(stack)
        for step in STEPS:
            step(scene)
        yield scene


def changes_of_the_crm(scene: Scene) -> None:
    """Persons who are synced, refused by Vibes, in conflict, and records that are refused at once."""
    persons = [
        {
            "external_person_id": f"crm-{WORD}-{number}",
            "mobile_phone": {"mdn": mdn(5000 + number)},
            "custom_fields": {"first_name": f"Known-{WORD}"},
        }
        for number in range(20)
    ]
    scene.simulator("POST", "/persons", {"company_key": scene.company.company_key, "persons": persons})
    scene.simulator("PUT", "/faults", FAULTS)
    records: list[dict[str, Any]] = [
        {
            "external_person_id": f"crm-{WORD}-{number}",
            "mdn": mdn(7000 + number if number < 4 else 5000 + number),
            "updated_at": "2024-03-01T00:00:00Z",
            "custom_fields": {f"unknown-{WORD}" if number in (4, 5) else "first_name": f"Changed-{WORD}-{number}"},
        }
        for number in range(30)
    ]
    records += [
        {"external_person_id": "", "mdn": mdn(1)},
        {f"{WORD}": 1},
        {"external_person_id": f"x-{WORD}", "mdn": []},
    ]
    lines = b"\n".join([*map(orjson.dumps, records), b'{"external_person_id": "' + WORD.encode()])
    token = {"Authorization": f"Bearer {scene.company.crm_token}", "Content-Type": "application/x-ndjson"}
    assert scene.post("/crm/persons", lines, **token) == 202
    for headers in ({"Authorization": f"Bearer {SECRET}"}, {**token, "Content-Encoding": WORD}, {}):
        scene.post("/crm/persons", lines, **headers)
    file = scene.stack.directory / "crm.csv"
    with file.open("w") as text:
        rows = csv.writer(text)
        rows.writerow(["external_person_id", "mdn", "custom_fields.first_name"])
        rows.writerows([[f"file-{WORD}-{number}", mdn(6000 + number), f"Filed-{WORD}"] for number in range(5)])
        rows.writerows([["", mdn(6100), WORD], [f"file-{WORD}", "x" * 500, WORD]])
    scene.run(("persons import", ("persons", "import", str(file)), {}))


def callbacks(scene: Scene) -> None:
    """Every documented kind, twice and in variants, among what cannot be read and what the database refuses."""
    scene.query(f"ALTER TABLE callback_events ADD CONSTRAINT refusal CHECK (event_id <> '{REFUSED_EVENT}')")
    bodies = [orjson.dumps(body) for _ in range(8) for body in marked_bodies("acme")]
    variant, refused = orjson.loads(bodies[0]), orjson.loads(bodies[2])
    bodies += [*bodies[:9], orjson.dumps({**variant, "note": WORD}), *UNREADABLE, *ODD]
    bodies.append(orjson.dumps({**refused, "event_id": REFUSED_EVENT}))
    with ThreadPoolExecutor(8) as senders:
        list(senders.map(scene.callback, bodies))
    scene.callback(b"no gzip " + WORD.encode(), **{"Content-Encoding": "gzip"})


def broken_requests(scene: Scene) -> None:
    """What is not configured, not allowed or no HTTP, from an address that is taken for Vibes'."""
    key = scene.company.endpoint_key
    body = orjson.dumps({"mdn": mdn(9100)})
    for path in (f"/callbacks/{SECRET}", f"/callbacks/{key}/{WORD}", f"/{key}", f"/callbacks/{key}x?{WORD}={key}"):
        scene.post(path, body)
    scene.post(f"/callbacks/{key}", b"x" * (1024 * 1024 + 1) + WORD.encode())
    personal = f"X-Person: {WORD} {mdn(9101)}\r\n".encode()
    there = f"/callbacks/{key}".encode()
    for raw in (
        b"GET " + there + b" HTTP/1.1\r\nHost: x\r\n" + personal + b"\r\n",
        b"POST " + there + b" HTTP/9.9\r\n" + personal + b"\r\n" + body,
        b"POST " + there + b" HTTP/1.1\r\nHost: x\r\nContent-Length: " + key.encode() + b"\r\n" + personal + b"\r\n",
        b"POST " + there + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nqzx7\r\n" + body,
        b"POST " + there + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + body,
        b"POST " + there + b" HTTP/1.1\r\nHost: x\r\n" + WORD.encode() + b"\x00\x01 no header\r\n\r\n",
        body * 10 + b"\r\n\r\n",
        b"\x16\x03\x01\x02" + key.encode(),
    ):
        with socket.create_connection(("127.0.0.1", scene.stack.ingest_port), timeout=5) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


def broken_messages(scene: Scene) -> None:
    """Messages in our queues that are none of ours."""
    asyncio.run(_publish_broken(scene.stack))


async def _publish_broken(stack: Stack) -> None:
    topology = Topology(stack.environment["VIBES_PIPELINE_QUEUE_PREFIX"])
    queues = [*topology.apply, topology.crm_changes, topology.person_sync]
    envelopes = [
        WORD.encode(),
        orjson.dumps({"version": WORD, "bodies": mdn(9200)}) + b"\n",
        orjson.dumps({"version": 1, "message_id": WORD, "callbacks": []}) + b"\n",
        orjson.dumps({"version": 1, "callbacks": [{"bytes": WORD}], "company_key": SECRET}) + b"\n" + WORD.encode(),
        orjson.dumps({"version": 1, "company_key": "acme", "person_uid": WORD, "changes": [WORD]}) + b"\n",
    ]
    async with await aio_pika.connect(stack.environment["AMQP_URL"]) as connection:
        channel = await connection.channel()
        for queue in queues:
            for envelope in envelopes:
                await channel.default_exchange.publish(aio_pika.Message(envelope), queue.name)


def connections_end(scene: Scene) -> None:
    """Postgres ends all sessions, twice, in the middle of their work."""
    for _ in range(2):
        scene.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        time.sleep(0.3)


def waiting(scene: Scene) -> None:
    """Until everything has been dealt with that the search is to find traces of."""
    for what, statement in {
        "everything that was told is applied": "SELECT count(*) >= 90 FROM callback_events",
        "the database has refused one": "SELECT count(*) > 0 FROM dead_letters WHERE reason = 'refused_by_database'",
        "what cannot be read is set aside": "SELECT count(*) >= 9 FROM dead_letters WHERE kind = 'quarantined'",
        "some envelopes cannot be read": "SELECT count(*) > 4 FROM dead_letters WHERE position = -1",
        "there are conflicts": "SELECT count(*) >= 3 FROM person_sync WHERE status = 'conflict'",
        "persons are synced": "SELECT count(*) >= 10 FROM person_sync WHERE status = 'synced'",
        "calls have failed in several ways": "SELECT count(DISTINCT error) >= 4 FROM person_api_calls",
    }.items():
        scene.wait_for(what, statement)


def commands(scene: Scene) -> None:
    """Commands whose output is read by people who need not know a person, or kept by machines."""
    erased = ("persons", "erase", "--external-id", f"crm-{WORD}-12", "--company", "acme")
    companies = scene.stack.directory / "companies-wrong.toml"
    text = Path(scene.stack.environment["VIBES_PIPELINE_COMPANIES_FILE"]).read_text()
    companies.write_text(text.replace('key_sha256 = "', f'key_sha256 = "{SECRET}'))
    company = {"VIBES_PIPELINE_COMPANIES_FILE": str(companies)}
    key = {"ENDPOINT_KEY": scene.company.endpoint_key}
    reconcile = ("persons", "reconcile", "--limit", "3")
    scene.simulator("PUT", "/faults", dict.fromkeys(FAULTS, 0.0))
    scene.run(
        ("migrate", ("migrate",), {}),
        ("status", ("status",), {}),
        ("audit", ("audit", "--by-id", "--by-hour"), {}),
        ("persons erase --dry-run", (*erased, "--dry-run"), {}),
        ("persons erase", (*erased, "--yes"), {}),
        ("persons erasures", ("persons", "erasures"), {}),
        ("dead-letters list", ("dead-letters", "list"), {}),
        ("dead-letters list --json", ("dead-letters", "list", "--json"), {}),
        ("dead-letters replay --dry-run", ("dead-letters", "replay", "--all", "--dry-run"), {}),
        ("dead-letters replay", ("dead-letters", "replay", "--all"), {}),
        ("callbacks register", ("callbacks", "register", "person_updated", "--url", _URL), key),
        ("callbacks list", ("callbacks", "list"), {}),
        ("callbacks list --json", ("callbacks", "list", "--json"), {}),
        ("persons reconcile", reconcile, {}),
        ("persons reconcile without access", reconcile, {"VIBES_API_PASSWORD_ACME": SECRET}),
        ("ingest with a key in place of its hash", ("ingest",), company),
        *((name, ("status",), settings) for name, settings in WRONG_CONFIGURATIONS.items()),
    )


def collect(scene: Scene) -> None:
    """Gather what the processes show, have them drain, and gather what they, and the services, wrote."""
    stack = scene.stack
    for name in ("ingest", "apply", "person-sync"):
        with urlopen(stack.metrics_url(name), timeout=10) as response:  # noqa: S310 - on loopback
            scene.written[f"metrics of {name}"] = response.read().decode()
    for part in stack.parts.values():
        arguments = Path(f"/proc/{part.process.pid}/cmdline")
        scene.written[f"arguments of {part.name}"] = arguments.read_text() if arguments.exists() else ""
    texts = "SELECT detail FROM dead_letters UNION ALL SELECT last_error FROM person_sync UNION ALL SELECT error FROM "
    scene.written["error texts"] = "\n".join(row[0] or "" for row in scene.query(f"{texts} person_api_calls"))
    for part in stack.parts.values():
        part.stop()
    files = list(stack.directory.glob("*.log"))
    for service in (stack.postgres, stack.rabbitmq):
        if isinstance(service, LocalPostgres | LocalRabbitMQ):
            files += [file for file in service.log_file.parent.glob("**/*.log") if file.is_file()]
    scene.written |= {str(file): file.read_text(errors="replace") for file in files}


STEPS = (
    changes_of_the_crm,
    callbacks,
    broken_requests,
    broken_messages,
    connections_end,
    waiting,
    commands,
    collect,
)


def test_nothing_that_was_written_shows_personal_data_or_a_secret(scene: Scene) -> None:
    found = {who: lines for who, text in scene.written.items() if (lines := scene.marks.lines_in(text))}
    assert found == {}, "\n".join(f"{who}: {line}" for who, lines in found.items() for line in lines[:5])


def test_there_was_something_to_search(scene: Scene) -> None:
    logs = "\n".join(text for who, text in scene.written.items() if who.endswith(".log"))
    for event in (
        '"level": "debug"',
        "ingest.refused",
        "apply.batch_refused",
        "apply.unreadable_envelope",
        "person_sync.conflict",
        "person_sync.postponed",
        "person_sync.unreadable_message",
        "violates check constraint",
        "terminating connection due to administrator command",
    ):
        assert event in logs, event
    outputs = {who: text for who, text in scene.written.items() if who.startswith(("output", "metrics"))}
    assert {who for who, text in outputs.items() if not text or "Traceback" in text} == set()


def test_marks_are_found_however_they_are_written(scene: Scene) -> None:
    assert scene.marks.lines_in("all is well\n1-312-555-0001 is not\nAnna-QZX7\n" + scene.company.password) == [
        "1-312-555-0001 is not",
        "Anna-QZX7",
        scene.company.password,
    ]
    assert os.linesep not in WORD
