"""Every process runs as a user that may do what it has to, and nothing else: the whole demo, told and checked."""

import re
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from aiormq.exceptions import ChannelAccessRefused
from rich.console import Console

from deploy.local.demo import COMPANIES, run
from deploy.local.postgres import LocalPostgres
from deploy.local.rabbitmq import LocalRabbitMQ
from deploy.local.stack import VIBES_PIPELINE, Stack
from schemas.topology import Topology
from tests.support.least_privilege import Login, make_broker_users, make_login

STORY = {
    "callbacks": 500,
    "persons": 70,
    "lists": 3,
    "duplicate_ratio": 0.15,
    "malformed": 20,
    "shuffle_window": 200,
    "concurrency": 16,
    "delivery": {"max_attempts": 100},
}
pytestmark = pytest.mark.timeout(300)
"""Services, all processes and the demo take half a minute on a machine that has nothing else to do."""

PARTS = {"ingest": None, "apply": "vibes_worker", "person-sync": "vibes_worker"}
"""And the role each one's database login is a member of."""


@dataclass
class Confined:
    """A stack whose processes have users of their own."""

    stack: Stack
    broker: dict[str, Login]
    database: dict[str, Login]

    @property
    def secrets(self) -> set[str]:
        companies = self.stack.companies.values()
        return {
            *(login.password for login in (*self.broker.values(), *self.database.values())),
            *(company.password for company in companies),
            *(company.endpoint_key for company in companies),
            *(company.crm_token for company in companies),
        }


@pytest.fixture(scope="module")
def confined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Confined]:
    with Stack(COMPANIES, parts=("simulator",)) as stack:
        postgres, rabbitmq = stack.postgres, stack.rabbitmq
        if not (isinstance(postgres, LocalPostgres) and isinstance(rabbitmq, LocalRabbitMQ)):
            pytest.skip("DATABASE_URL or AMQP_URL is set: users are not made on services that are not ours")
        prefix = stack.environment["VIBES_PIPELINE_QUEUE_PREFIX"]
        broker = make_broker_users(rabbitmq, tmp_path_factory.mktemp("passwords"), prefix)
        database = {
            name: make_login(postgres, Login(f"login_{secrets.token_hex(4)}", secrets.token_urlsafe(16)), role)
            for name, role in {**PARTS, "operator": "vibes_operator", "analyst": "vibes_analyst"}.items()
            if role is not None
        }
        amqp_url, database_url = stack.environment["AMQP_URL"], stack.database_url

        stack.environment["AMQP_URL"] = broker["declare"].at(amqp_url)
        assert "every exchange and queue" in stack.command("declare")
        for part, role in PARTS.items():
            # ingest gets an address where nothing is: it does not use the database.
            url = database[part].at(database_url) if role else "postgresql://127.0.0.1:9/nowhere"
            stack.start(part, {"AMQP_URL": broker[part].at(amqp_url), "DATABASE_URL": url})
        stack.environment["AMQP_URL"] = broker["operator"].at(amqp_url)
        stack.environment["DATABASE_URL"] = database["operator"].at(database_url)
        yield Confined(stack, broker, database)


def test_the_whole_demo_runs_with_users_of_the_least_rights(confined: Confined) -> None:
    report, divergences = run(confined.stack, Console(quiet=True), STORY)

    assert (report.ok, divergences) == (True, []), report
    assert report.applied > 0
    assert report.crm["synced"] > 0


def test_the_commands_work_as_an_operator(confined: Confined) -> None:
    company = ("--company", COMPANIES[0])
    for command in (
        ("status",),
        ("audit",),
        ("conflicts", "list", *company),
        ("conflicts", "retry", "--all", *company),
        ("persons", "show", "--external-id", "crm/new 1", *company),
        ("persons", "sync", "crm/new 1", *company),
        ("persons", "reconcile", "--external-id", "crm/new 1", *company),
        ("persons", "erase", "--external-id", "crm/new 1", "--yes", *company),
        ("persons", "erasures", *company),
        ("dead-letters", "list", *company),
        ("dead-letters", "replay", "--rate", "1000", *company),
    ):
        result = subprocess.run(
            [*VIBES_PIPELINE, *command],
            env=confined.stack.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        # 1 tells of a difference or a conflict, which there may be after the demo.
        assert result.returncode in (0, 1), (command, result.stderr)
        assert "ermission" not in result.stderr, (command, result.stderr)
        assert "rivilege" not in result.stderr, (command, result.stderr)


@pytest.mark.parametrize(
    ("login", "statement"),
    [
        ("apply", "DELETE FROM callback_events"),
        ("apply", "UPDATE callback_events SET payload = NULL"),
        ("apply", "DELETE FROM {a_month}"),
        ("apply", "DELETE FROM callback_messages"),
        ("apply", "DELETE FROM person_api_calls"),
        ("apply", "DELETE FROM dead_letters"),
        ("apply", "DELETE FROM erased_identities"),
        ("apply", "TRUNCATE persons"),
        ("apply", "DROP TABLE persons"),
        ("apply", "CREATE TABLE mine (id int)"),
        ("apply", "DELETE FROM _pogo_migration"),
        ("person-sync", "UPDATE callback_events SET payload = NULL"),
        ("operator", "TRUNCATE callback_events"),
        ("operator", "DROP TABLE persons"),
        ("operator", "CREATE TABLE mine (id int)"),
        ("analyst", "SELECT identifiers FROM erasures"),
        ("analyst", "SELECT * FROM erased_identities"),
        ("analyst", "UPDATE persons SET timezone = NULL"),
        ("analyst", "INSERT INTO test_events VALUES ('a', 'b', 'c')"),
        ("analyst", "DELETE FROM {a_month}"),
        ("analyst", "CREATE TABLE mine (id int)"),
    ],
)
async def test_a_login_may_do_nothing_else(confined: Confined, login: str, statement: str) -> None:
    async with connected(confined, login) as connection:
        month = await connection.fetchval(
            "SELECT min(inhrelid)::regclass::text FROM pg_inherits WHERE inhparent = 'callback_events'::regclass"
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement.format(a_month=month))


async def test_an_analyst_reads_every_table_and_view_that_tells_of_what_happened(confined: Confined) -> None:
    async with connected(confined, "analyst") as connection:
        names = await connection.fetch(
            "SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p', 'v')"
        )
        kept = {"erasures", "erased_identities", "_pogo_migration", "_pogo_version"}
        readable = {row["name"] for row in names} - kept
        assert {"persons", "subscriptions", "callback_events", "current_subscriptions", "wallet_items"} <= readable
        for name in sorted(readable):
            await connection.fetch(f"SELECT * FROM {name} LIMIT 1")  # noqa: S608 - a name out of the catalogue


async def test_ingest_may_publish_but_not_read_or_make_anything(confined: Confined) -> None:
    stack = confined.stack
    topology = Topology(prefix=stack.environment["VIBES_PIPELINE_QUEUE_PREFIX"])
    async with await aio_pika.connect(confined.broker["ingest"].at(stack.environment["AMQP_URL"])) as connection:
        for refused in (
            lambda channel: channel.declare_queue(f"{topology.prefix}.mine", durable=True),
            lambda channel: channel.declare_exchange("mine", durable=True),
            lambda channel: read_one(channel, topology.apply_queue(0).name),
            lambda channel: delete(channel, topology.apply_queue(0).name),
        ):
            with pytest.raises(ChannelAccessRefused):
                await refused(await connection.channel())


async def read_one(channel: aio_pika.abc.AbstractChannel, queue: str) -> None:
    await (await channel.get_queue(queue, ensure=False)).get(fail=False)


async def delete(channel: aio_pika.abc.AbstractChannel, queue: str) -> None:
    await channel.queue_delete(queue)


@asynccontextmanager
async def connected(confined: Confined, login: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(confined.database[login].at(confined.stack.database_url))
    try:
        yield connection
    finally:
        await connection.close()


def test_no_secret_is_in_a_command_line_or_a_log(confined: Confined) -> None:
    processes = [part.process for part in confined.stack.parts.values()]
    lines = [
        "\0".join(each.cmdline()) for process in processes for each in (process, *process.children(recursive=True))
    ]
    logs = [part.log_file.read_text() for part in confined.stack.parts.values()]

    assert all("cli" in line for line in lines)
    assert all(logs)
    assert not [secret for secret in confined.secrets if any(secret in text for text in (*lines, *logs))]
    assert not re.search(r"(postgresql|amqp)://[^\s\"]*:[^\s\"]*@", "".join(logs))


def test_each_broker_user_may_do_no_more_than_its_process_has_to(confined: Confined) -> None:
    assert isinstance(confined.stack.rabbitmq, LocalRabbitMQ)
    listed = confined.stack.rabbitmq.ctl("list_permissions", "--vhost", "/")
    rights = {user: rest for user, *rest in (line.split("\t") for line in listed.splitlines())}
    for name in ("ingest", "apply", "person-sync", "operator"):
        configure, write, read = rights[confined.broker[name].user]
        assert configure == "^$"
        assert ".*" not in write + read
    assert rights[confined.broker["ingest"].user][2] == "^$"


def test_the_passwords_of_the_broker_users_are_for_nobody_else_to_read(confined: Confined, tmp_path: Path) -> None:
    assert isinstance(confined.stack.rabbitmq, LocalRabbitMQ)
    again = make_broker_users(confined.stack.rabbitmq, tmp_path / "new", "other")
    assert len({login.password for login in again.values()}) == len(again)
    assert {(tmp_path / "new" / login.user).stat().st_mode & 0o777 for login in again.values()} == {0o600}
