"""The services the other tests stand on: durable, apart from each other, and gone when their owner is gone."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import aio_pika
import asyncpg
import psutil
import pytest

from deploy.local import guard, ports, postgres, rabbitmq
from deploy.local.errors import NotOwnedError, ServiceError
from deploy.local.postgres import LocalPostgres, StopMode
from deploy.local.rabbitmq import LocalRabbitMQ
from deploy.local.services import Services
from deploy.local.workspace import Workspace
from tests.support.ingest import eventually

ROOT = Path(__file__).parents[2]


async def write_row(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    await connection.close()


async def read_row(url: str) -> object:
    connection = await asyncpg.connect(url)
    number = await connection.fetchval("SELECT number FROM kept")
    await connection.close()
    return number


class TestPostgres:
    async def test_it_writes_as_durably_as_in_production(self, own_postgres: LocalPostgres) -> None:
        connection = await asyncpg.connect(own_postgres.url)
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await connection.fetchval("SELECT current_setting($1)", setting) == "on"
        await connection.close()

    async def test_it_asks_for_a_password(self, own_postgres: LocalPostgres) -> None:
        address = urlsplit(own_postgres.url)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(own_postgres.url.replace(f":{address.password}@", ":wrong@"))

    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    async def test_what_was_committed_survives_a_stop(self, own_postgres: LocalPostgres, mode: StopMode) -> None:
        url = own_postgres.url
        await write_row(url)
        own_postgres.stop(mode)
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncpg.connect(url)
        own_postgres.start()
        assert own_postgres.url == url
        assert await read_row(url) == 1

    async def test_what_was_committed_survives_a_kill(self, own_postgres: LocalPostgres) -> None:
        await write_row(own_postgres.url)
        own_postgres.kill()
        assert own_postgres.pid is None
        own_postgres.start()
        assert await read_row(own_postgres.url) == 1

    async def test_a_database_is_a_copy_of_its_template(self, own_postgres: LocalPostgres) -> None:
        await write_row(own_postgres.create_database("first"))
        assert await read_row(own_postgres.create_database('the "second"/one', template="first")) == 1

    def test_a_refused_statement_says_why(self, own_postgres: LocalPostgres) -> None:
        own_postgres.create_database("twice")
        with pytest.raises(ServiceError, match=r'database "twice" already exists'):
            own_postgres.create_database("twice")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
    async def test_programs_its_user_cannot_reach_are_copied(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Workspace() as workspace:
            monkeypatch.setattr(postgres, "_enterable", lambda path: path == workspace.path)
            server = LocalPostgres(workspace)
            server.start()
            assert server.pid is not None
            assert Path(psutil.Process(server.pid).exe()).is_relative_to(workspace.path)
            await write_row(server.url)


async def publish(url: str, count: int = 1) -> None:
    """Publish to the quorum queue `kept`, each message confirmed."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        for _ in range(count):
            message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, "kept")


async def take(url: str) -> bytes:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue("kept")
        async with asyncio.timeout(20), queue.iterator() as messages:
            async for message in messages:
                await message.ack()
                return message.body
    raise AssertionError("the iterator ended")


class TestRabbitMQ:
    @pytest.mark.parametrize("how", [pytest.param("stop", marks=pytest.mark.long), "kill"])
    async def test_a_confirmed_message_survives(self, own_rabbitmq: LocalRabbitMQ, how: str) -> None:
        url = own_rabbitmq.amqp_url
        await publish(url)
        if how == "kill":
            own_rabbitmq.sync_declarations()
            own_rabbitmq.kill()
        else:
            own_rabbitmq.stop()
        assert own_rabbitmq.pid is None
        with pytest.raises(OSError, match="Connect call failed"):
            await aio_pika.connect(url)
        own_rabbitmq.start()
        assert own_rabbitmq.amqp_url == url
        assert await take(url) == b"kept"

    async def test_every_test_gets_an_empty_broker(self, own_rabbitmq: LocalRabbitMQ) -> None:
        assert own_rabbitmq.queue_depths() == {}

    async def test_depths_count_what_is_ready_and_what_is_being_worked_on(self, own_rabbitmq: LocalRabbitMQ) -> None:
        await publish(own_rabbitmq.amqp_url, count=3)
        async with await aio_pika.connect(own_rabbitmq.amqp_url) as connection:
            queue = await (await connection.channel()).get_queue("kept")
            assert await queue.get() is not None
            await eventually(lambda: own_rabbitmq.queue_depths() == {"kept": 3}, "both kinds are counted")

    async def test_blocked_publishers_wait_until_unblocked(self, own_rabbitmq: LocalRabbitMQ) -> None:
        own_rabbitmq.block_publishers()
        publishing = asyncio.create_task(publish(own_rabbitmq.amqp_url))
        done, _ = await asyncio.wait([publishing], timeout=1)
        assert not done
        own_rabbitmq.unblock_publishers()
        async with asyncio.timeout(10):
            await publishing

    def test_a_missing_broker_is_explained(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(rabbitmq, "_PLACES", ())
        with Workspace() as workspace, pytest.raises(ServiceError) as caught:
            LocalRabbitMQ(workspace).start()
        for way_out in ("apt-get install rabbitmq-server", "AMQP_URL=", "docker compose up"):
            assert way_out in str(caught.value)


class TestServicesOfSomebodyElse:
    @pytest.fixture
    def services(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
        monkeypatch.setenv("DATABASE_URL", "postgresql://them@db.example/theirs")
        monkeypatch.setenv("AMQP_URL", "amqp://them@mq.example/")
        with Services() as services:
            yield services

    def test_are_used_as_they_are(self, services: Services) -> None:
        assert services.postgres.url == "postgresql://them@db.example/theirs"
        assert services.rabbitmq.amqp_url == "amqp://them@mq.example/"

    def test_are_never_stopped(self, services: Services) -> None:
        for operation in (services.postgres.stop, services.postgres.kill):
            with pytest.raises(NotOwnedError, match="unset DATABASE_URL"):
                operation()
        for operation in (services.rabbitmq.stop, services.rabbitmq.kill, services.rabbitmq.block_publishers):
            with pytest.raises(NotOwnedError, match="unset AMQP_URL"):
                operation()


def test_a_leased_port_is_given_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace() as workspace:
        port = workspace.port()
        monkeypatch.setattr(ports, "_PORTS", [port] * 1000)
        with pytest.raises(ServiceError, match="no free port"), Workspace() as other:
            other.port()


def test_a_directory_that_is_named_is_kept(tmp_path: Path) -> None:
    with Workspace(tmp_path / "kept") as workspace:
        (workspace.path / "log").touch()
    assert (tmp_path / "kept" / "log").exists()
    with pytest.raises(ServiceError, match="is not empty"):
        Workspace(tmp_path / "kept")


@contextmanager
def owner_of_services(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A Python process of its own which starts services, and what it prints."""
    owner = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "AMQP_URL")},
        start_new_session=True,
    )
    assert owner.stdout is not None
    with owner:
        try:
            yield owner, owner.stdout
        finally:
            with suppress(ProcessLookupError):  # the whole group may have ended by itself
                os.killpg(owner.pid, signal.SIGKILL)


def mark_of(owner: int) -> str:
    """The mark that all service processes of an owner carry."""
    [mark] = {child.environ().get(guard.MARK_VARIABLE) for child in psutil.Process(owner).children()} - {None}
    assert mark is not None
    return mark


class TestNothingIsLeftBehind:
    @pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
    async def test_when_the_owner_is_ended_by(
        self, number: signal.Signals, own_postgres: LocalPostgres, own_rabbitmq: LocalRabbitMQ
    ) -> None:
        with owner_of_services("-m", "deploy.local", "services") as (owner, output):
            database_url, amqp_url, _ = (output.readline().strip().partition("=")[2] for _ in range(3))
            await write_row(database_url)
            await publish(amqp_url)
            mark = mark_of(owner.pid)
            processes = list(guard.marked(mark))
            directories = {Path(process.environ()["HOME"]) for process in processes if process.name() == "epmd"}
            assert {"postgres", "beam.smp", "epmd"} <= {process.name() for process in processes}

            owner.send_signal(number)

            await eventually(lambda: not any(process.is_running() for process in processes), "all processes are gone")
            await eventually(lambda: not any(map(Path.exists, directories)), "the directory is gone")
            assert list(guard.marked(mark)) == []
            assert owner.wait(timeout=10) == (-number if number == signal.SIGKILL else 0)
        assert own_postgres.execute("SELECT 1") == "1", "another run at the same time is not touched"
        assert own_rabbitmq.queue_depths() == {}, "another run at the same time is not touched"

    async def test_when_the_guard_itself_was_killed(self) -> None:
        workspace = Workspace()
        server = LocalPostgres(workspace)
        server.start()
        [watching] = [child for child in psutil.Process().children() if str(workspace.path) in child.cmdline()]
        watching.kill()
        workspace.close()
        assert server.pid is None
        assert not workspace.path.exists()

    async def test_when_a_forked_child_outlives_the_owner(self) -> None:
        program = """
import os, signal
from deploy.local.workspace import Workspace
print(Workspace().path, flush=True)
if os.fork() == 0:
    signal.pause()
os.kill(os.getpid(), signal.SIGKILL)
"""
        with owner_of_services("-c", program) as (_, output):
            path = Path(output.readline().strip())
            await eventually(lambda: not path.exists(), "the directory is gone")
