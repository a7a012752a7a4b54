"""What deploy/kubernetes has the operators do to PostgreSQL and RabbitMQ, done to real ones."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import aio_pika
import aiohttp
import asyncpg
import pytest
from aiormq.exceptions import ChannelAccessRefused

from deploy.local.broker import Broker
from deploy.local.postgres import LocalPostgres
from deploy.local.workspace import Workspace
from runtime.amqp import declare
from runtime.migrations import migrate
from schemas.topology import Topology
from tests.integration.test_database_access import run_roles_script, with_password
from tests.support.kubernetes import overlay
from tests.support.least_privilege import Login

ACCESS = """
SELECT 'role', rolname, rolcanlogin::text || rolsuper::text || rolcreaterole::text || rolcreatedb::text
FROM pg_roles WHERE rolname ~ '^vibes_'
UNION ALL SELECT 'member', member::regrole::text, roleid::regrole::text FROM pg_auth_members
WHERE member::regrole::text ~ '^vibes_'
UNION ALL SELECT 'setting', setrole::regrole::text, setconfig::text FROM pg_db_role_setting
UNION ALL SELECT 'database', pg_get_userbyid(datdba), datacl::text FROM pg_database WHERE datname = 'vibes'
UNION ALL SELECT 'table', relname, pg_get_userbyid(relowner) || relacl::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace
ORDER BY 1, 2, 3
"""


@pytest.fixture
def server() -> Iterator[LocalPostgres]:
    """A cluster of PostgreSQL in which no role of ours has ever been made."""
    with Workspace() as workspace:
        server = LocalPostgres(workspace, durable=False)
        server.start()
        yield server


async def in_database(server: LocalPostgres, database: str, *statements: str) -> list[asyncpg.Record]:
    """Run statements as superuser; return the rows of the last."""
    connection = await asyncpg.connect(Login(server._user, server._password).at(server.url, f"/{database}"))
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetch(statements[-1])
    finally:
        await connection.close()


async def bootstrap(server: LocalPostgres, spec: dict[str, Any]) -> None:
    """Do what CloudNativePG does with a new cluster, in its order."""
    initdb = spec["bootstrap"]["initdb"]
    await in_database(server, "postgres", f"CREATE ROLE {initdb['owner']} LOGIN", *initdb["postInitSQL"])
    await in_database(server, "postgres", f"CREATE DATABASE {initdb['database']} OWNER {initdb['owner']}")
    await in_database(server, initdb["database"], *initdb["postInitApplicationSQL"])
    for role in spec["managed"]["roles"]:
        assert role["login"]
        await in_database(server, "postgres", f"CREATE ROLE {role['name']} LOGIN IN ROLE {', '.join(role['inRoles'])}")


async def test_a_new_cluster_has_the_roles_that_the_script_for_other_installations_makes(server: LocalPostgres) -> None:
    await bootstrap(server, overlay("small").one("Cluster", "postgres")["spec"])
    await migrate(with_password(server, "vibes_migrate").at(server.url, "/vibes"))
    made = await in_database(server, "vibes", ACCESS)

    await asyncio.to_thread(run_roles_script, server, "vibes")

    assert await in_database(server, "vibes", ACCESS) == made, "the script has found nothing to do"
    assert {("table", "persons")} <= {(row[0], row[1]) for row in made}
    worker = await asyncpg.connect(with_password(server, "vibes_apply").at(server.url, "/vibes"))
    try:
        await worker.execute("UPDATE persons SET timezone = NULL")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await worker.execute("DELETE FROM callback_events")
    finally:
        await worker.close()


@pytest.fixture
async def user_without_rights(rabbitmq: Broker, amqp_url: str) -> AsyncIterator[str]:
    """The URL of a broker user with the rights that KEDA's has."""
    assert rabbitmq.management_url is not None
    login = Login(f"keda-{secrets.token_hex(4)}", secrets.token_hex(8))
    user = f"{rabbitmq.management_url}/api/users/{login.user}"
    vhost = quote(urlsplit(amqp_url).path.removeprefix("/"), safe="")
    rights = overlay("small").one("Permission", "keda")["spec"]["permissions"]
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        await session.put(user, json={"password": login.password, "tags": ""})
        await session.put(f"{rabbitmq.management_url}/api/permissions/{vhost}/{login.user}", json=rights)
        yield login.at(amqp_url)
        await session.delete(user)


async def test_keda_may_ask_how_long_a_queue_is_and_nothing_else(amqp_url: str, user_without_rights: str) -> None:
    topology = Topology()
    queue = topology.apply_queue(0).name
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await declare(channel, topology)
        exchange = await channel.get_exchange(topology.callbacks.name)
        await exchange.publish(aio_pika.Message(b"{}"), "0")

    async with await aio_pika.connect(user_without_rights) as connection:
        found = await (await connection.channel()).declare_queue(queue, passive=True)
        assert found.declaration_result.message_count == 1
        with pytest.raises(ChannelAccessRefused):
            await found.get()
