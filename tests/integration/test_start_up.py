"""What processes say when something is wrong at their start: what it is, and what to do about it."""

import asyncio
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aio_pika
import aiohttp
import asyncpg
import pytest

from deploy.local.broker import Broker
from deploy.local.postgres import PostgresServer
from runtime.amqp import declare
from runtime.migrations import migrate
from tests.support.ingest import eventually
from tests.support.pipeline import TOPOLOGY, PartProcess, environment_for, part

WORKERS = ("apply", "person-sync")
WAITING = {
    "apply": ("apply.postgres_unavailable", "detail"),
    "person-sync": ("postgres.unavailable", "reason"),
}
"""What each logs while it waits, and where it says why."""
AWAY = "postgresql://127.0.0.1:9/none"


@pytest.fixture
def empty_database_url(postgres: PostgresServer) -> Iterator[str]:
    """A database without any table."""
    name = f"vp_empty_{secrets.token_hex(6)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
async def confined_url(rabbitmq: Broker, amqp_url: str) -> AsyncIterator[str]:
    """The broker's address as a user who may do nothing where everything has been declared."""
    async with await aio_pika.connect(amqp_url) as connection:
        await declare(await connection.channel(), TOPOLOGY)
    name = f"confined-{secrets.token_hex(4)}"
    management, vhost = str(rabbitmq.management_url), quote(urlsplit(amqp_url).path.removeprefix("/"), safe="")
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        await session.put(f"{management}/api/users/{name}", json={"password": name, "tags": ""})
        nothing = {"configure": "^$", "write": "^$", "read": "^$"}
        await session.put(f"{management}/api/permissions/{vhost}/{name}", json=nothing)
        parts = urlsplit(amqp_url)
        yield parts._replace(netloc=f"{name}:{name}@{parts.hostname}:{parts.port}").geturl()
        await session.delete(f"{management}/api/users/{name}")


async def said(process: PartProcess, event: str, **fields: str) -> dict[str, Any]:
    """Wait for a line of that event with these texts in its fields; return it."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found[:] = [
            line
            for line in process.events(event)
            if all(text in str(line.get(name, "")) for name, text in fields.items())
        ]
        return bool(found)

    await eventually(is_there, f"{event} with {fields} in {process.log}")
    return found[0]


async def readiness(process: PartProcess, name: str) -> tuple[int, str]:
    port = process.events(f"{name.replace('-', '_')}.started")[0]["admin_port"]
    url = f"http://127.0.0.1:{port}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, (await response.text()).strip()


@pytest.mark.parametrize("name", WORKERS)
async def test_a_worker_that_is_newer_than_the_schema_says_what_to_run_and_goes_on_once_it_was_run(
    tmp_path: Path, empty_database_url: str, amqp_url: str, name: str
) -> None:
    lacks = "the database lacks 0001-callback-log, "
    async with part(name, environment=environment_for(tmp_path, empty_database_url, amqp_url)) as worker:
        event, field = WAITING[name]
        line = await said(worker, event, **{field: lacks})
        assert line[field].endswith("; run: vibes-pipeline migrate")
        status, why = await readiness(worker, name)
        assert status == 503
        assert why.startswith(lacks)

        await migrate(empty_database_url)
        await worker.logged(f"{name.replace('-', '_')}.consuming")

        async def ready() -> bool:
            return await readiness(worker, name) == (200, "ready")

        await eventually(ready, "it is ready")


async def test_a_worker_that_is_older_than_the_schema_says_so_once_and_works(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO _pogo_migration (migration_hash, migration_id, applied, schema_name) "
        "VALUES ('0', '9999-of-a-later-release', now(), 'public')"
    )
    await connection.close()
    async with part("apply", environment=environment_for(tmp_path, database_url, amqp_url)) as worker:
        await worker.logged("apply.consuming", times=3)
        (line,) = worker.events("postgres.schema_is_newer")
        assert line["migrations"] == "9999-of-a-later-release"
        assert "otherwise deploy the release that has these migrations" in line["remedy"]


@pytest.mark.parametrize("name", ["ingest", *WORKERS])
async def test_a_missing_right_at_the_broker_is_named_with_who_gives_it(
    tmp_path: Path, database_url: str, confined_url: str, name: str
) -> None:
    environment = environment_for(tmp_path, database_url, confined_url, ingest_port=0)
    async with part(name, environment=environment) as process:
        line = await said(process, "broker.disconnected", detail="ACCESS_REFUSED", remedy="deploy/rabbitmq/users.sh")
        assert "vibes." in line["detail"]
        await process.logged("broker.disconnected", times=3)
        assert process.process.returncode is None


async def test_services_that_are_away_are_waited_for_with_growing_pauses_and_a_line_each(
    tmp_path: Path, amqp_url: str
) -> None:
    parts = urlsplit(amqp_url)
    wrong = parts._replace(netloc=f"{parts.username}:wrong@{parts.hostname}:{parts.port}").geturl()
    async with (
        part("ingest", environment=environment_for(tmp_path, AWAY, wrong, ingest_port=0)) as ingest,
        part("apply", environment=environment_for(tmp_path, AWAY, amqp_url)) as apply,
    ):
        await said(ingest, "broker.disconnected", remedy="check the user and the password in AMQP_URL")
        await said(apply, "apply.postgres_unavailable", remedy="whether DATABASE_URL leads to it")
        await ingest.logged("broker.disconnected", times=4)
        pauses = [line["retry_seconds"] for line in ingest.events("broker.disconnected")]
        assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
        assert "wrong" not in str([ingest.log, apply.log])


async def test_a_port_that_is_taken_ends_a_supervisor_and_its_processes_with_exit_code_2(
    tmp_path: Path, amqp_url: str, taken_port: int
) -> None:
    environment = environment_for(tmp_path, AWAY, amqp_url, apply_admin_port=taken_port - 1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "apply", "--processes", "2"), env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            _, told = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()  # its processes end with it
            await process.wait()
    assert process.returncode == 2
    lines = [line for line in told.decode().splitlines() if line.startswith("vibes-pipeline: ")]
    assert lines[-1] == "vibes-pipeline: a process could not start with this configuration: what it said is above"
    assert any(
        f"VIBES_PIPELINE_APPLY_ADMIN_PORT: cannot listen on 127.0.0.1:{taken_port} (" in line
        and line.endswith("; choose another port, or 0 for a free one")
        for line in lines
    )
