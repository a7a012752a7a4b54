"""Real services for tests, started when the first test asks for one.

| fixture | what the test gets |
|---|---|
| `database_url` | a database of its own with the current schema, on the shared PostgreSQL |
| `amqp_url` | a virtual host of its own on the shared RabbitMQ |
| `emptied_amqp_url` | a virtual host with the pipeline's queues, empty; the tests of a module share it |
| `postgres`, `rabbitmq` | the shared services themselves: not to be stopped |
| `own_postgres`, `own_database_url`, `own_rabbitmq` | private services which the test may stop, kill and block |

The shared ones are those of DATABASE_URL and AMQP_URL when these are set. On a broker that is not ours a test only
ever touches virtual hosts of its own, for which AMQP_MANAGEMENT_URL must be set too.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aio_pika
import pytest

from deploy.local.broker import Broker
from deploy.local.errors import ServiceError
from deploy.local.postgres import LocalPostgres, PostgresServer
from deploy.local.rabbitmq import LocalRabbitMQ
from deploy.local.services import postgres_in, rabbitmq_in
from deploy.local.workspace import Workspace
from runtime.amqp import declare
from runtime.migrations import migrate
from schemas.topology import Topology

_MEMORY = Path("/dev/shm")  # noqa: S108 - a private directory is made in there
_MEMORY_BYTES = 4 * 1024**3
"""So much has to be free there. The databases of the tests that run at a time, and PostgreSQL's log, are far less."""


def _in_memory() -> Path | None:
    """Return a place in memory for what need not outlive the machine; None: on the disk.

    Hundreds of databases, of 800 files each, are made and dropped. To find inodes for them took ext4 without a journal
    40 % of all the tests' processor time: it goes past those that were freed in the last minutes.
    """
    usable = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES
    return _MEMORY if usable else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The PostgreSQL server all tests share."""
    with Workspace(parent=_in_memory()) as workspace:
        # Tests end processes, not machines, and most of them want a database of their own.
        server = postgres_in(workspace, durable=False)
        if isinstance(server, LocalPostgres):
            server.start()
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres: PostgresServer) -> Iterator[str]:
    """Name of a database with the current schema, to be copied: much faster than migrating for every test."""
    name = f"vp_template_{secrets.token_hex(6)}"
    asyncio.run(migrate(postgres.create_database(name)))
    yield name
    postgres.drop_database(name)


@pytest.fixture
def database_url(postgres: PostgresServer, migrated_template: str) -> Iterator[str]:
    """An empty database with the current schema."""
    name = f"vp_test_{secrets.token_hex(6)}"
    yield postgres.create_database(name, migrated_template)
    postgres.drop_database(name)


@pytest.fixture
def own_postgres() -> Iterator[LocalPostgres]:
    """A PostgreSQL server of the test's own."""
    with Workspace() as workspace:
        server = LocalPostgres(workspace)
        server.start()
        yield server


@pytest.fixture
async def own_database_url(own_postgres: LocalPostgres) -> str:
    """An empty database with the current schema on the test's own server."""
    url = own_postgres.create_database("vibes")
    await migrate(url)
    return url


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Broker]:
    """The RabbitMQ broker all tests share."""
    with Workspace() as workspace:
        broker = rabbitmq_in(workspace, management=True)
        if isinstance(broker, LocalRabbitMQ):
            broker.start()
        yield broker


@contextmanager
def _virtual_host(rabbitmq: Broker) -> Iterator[str]:
    if rabbitmq.management_url is None:
        pytest.skip("AMQP_URL is set without AMQP_MANAGEMENT_URL: no virtual host can be made for this test")
    name = f"vp-test-{secrets.token_hex(6)}"
    yield rabbitmq.create_vhost(name)
    rabbitmq.delete_vhost(name)


@pytest.fixture
def amqp_url(rabbitmq: Broker) -> Iterator[str]:
    """An empty virtual host."""
    with _virtual_host(rabbitmq) as url:
        yield url


@pytest.fixture(scope="module")
def shared_amqp_url(rabbitmq: Broker) -> Iterator[str]:
    """A virtual host for the tests of a module, one after the other."""
    with _virtual_host(rabbitmq) as url:
        yield url


@pytest.fixture
async def emptied_amqp_url(shared_amqp_url: str) -> str:
    """A virtual host with the pipeline's queues, empty: several times as quick to have as one of the test's own.

    For tests that only publish and take, and have closed their connections at their end.
    """
    async with await aio_pika.connect(shared_amqp_url) as connection:
        channel = await connection.channel()
        topology = Topology()
        await declare(channel, topology)
        for queue in topology.queues:
            await (await channel.get_queue(queue.name, ensure=False)).purge()
    return shared_amqp_url


@pytest.fixture(scope="session")
def fresh_brokers() -> Iterator[Iterator[LocalRabbitMQ]]:
    """One private broker, as good as new each time it is asked for: emptying it is faster than starting another."""
    with Workspace() as workspace:
        broker = LocalRabbitMQ(workspace)

        def again_and_again() -> Iterator[LocalRabbitMQ]:
            broker.start()
            yield broker
            while True:
                broker.start()
                broker.empty()
                yield broker

        yield again_and_again()


@pytest.fixture
def own_rabbitmq(fresh_brokers: Iterator[LocalRabbitMQ]) -> LocalRabbitMQ:
    """A broker of the test's own: running, empty and taking messages, whatever the test before did to it."""
    try:
        return next(fresh_brokers)
    except ServiceError as error:
        if os.environ.get("AMQP_URL"):
            pytest.skip(f"the broker of AMQP_URL is not ours to stop, and a private one cannot be started: {error}")
        raise
