"""The whole pipeline as `make demo` runs it, with fewer callbacks: every part a process started by its command.

Every process runs as a user that may do what it has to and nothing else, and so do the commands.
"""

import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aio_pika
import asyncpg
import pytest
from aiormq.exceptions import ChannelAccessRefused
from rich.console import Console

from deploy.local.demo import COMPANIES, STORY, Report, run
from deploy.local.rabbitmq import LocalRabbitMQ
from deploy.local.stack import Stack
from schemas.topology import Topology
from tests.support.commands import vibes_pipeline
from tests.support.least_privilege import Confined, confined_stack

SMALL = {**STORY, "callbacks": 1_000, "persons": 100, "malformed": 30, "shuffle_window": 300}
pytestmark = pytest.mark.timeout(300)
"""Services, all processes and the demo take half a minute on a machine that has nothing else to do."""


@pytest.fixture(scope="module")
def confined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Confined]:
    with confined_stack(COMPANIES, tmp_path_factory.mktemp("passwords")) as confined:
        yield confined


@pytest.fixture(scope="module")
def stack(confined: Confined) -> Stack:
    return confined.stack


@pytest.fixture(scope="module")
def report(stack: Stack) -> Report:
    report, divergences = run(stack, Console(quiet=True), SMALL)
    assert divergences == []
    return report


def test_nothing_is_lost_and_nothing_diverges(report: Report) -> None:
    assert (report.lost, report.diverged, report.bad_answers) == (0, 0, 0)
    assert report.ok
    assert report.crm["synced"] > 0


def test_every_acknowledged_callback_has_exactly_one_outcome(report: Report) -> None:
    outcomes = report.applied + report.duplicates + report.quarantined + report.dead_lettered
    assert outcomes == report.acknowledged == report.sent


def test_duplicates_malformed_and_documented_bodies_were_among_them(report: Report) -> None:
    assert report.duplicates >= 0.1 * report.applied
    assert report.quarantined > 0
    assert report.documented == 9


def test_the_person_api_was_called_although_it_failed_now_and_then(report: Report) -> None:
    assert report.person_api["succeeded"] > 0
    assert report.person_api["calls"] == report.person_api["succeeded"] + report.person_api["failed"]


def test_status_and_audit_show_the_same_counts(stack: Stack, report: Report) -> None:
    names = ("applied", "duplicates", "quarantined", "dead_lettered")
    for command in ("status", "audit"):
        accounts = json.loads(stack.command(command, "--json"))["accounts"]
        assert {name: sum(account[name] for account in accounts) for name in names} == {
            name: getattr(report, name) for name in names
        }
        assert sum(account["acknowledged"] for account in accounts) == report.acknowledged


def test_the_audit_fails_for_a_receipt_that_was_never_dealt_with(stack: Stack, report: Report) -> None:
    forged = stack.directory / "forged.txt"
    forged.write_text("01932b1e-8d5a-7c3e-9f00-0a1b2c3d4e5f/0\n")
    audit = json.loads(
        stack.command("audit", "--json", "--receipts", str(forged), "--settle-seconds", "0", check=False)
    )
    assert not audit["ok"]
    assert audit["receipts"]["missing"] == ["01932b1e-8d5a-7c3e-9f00-0a1b2c3d4e5f/0"]


def test_people_see_tables(stack: Stack, report: Report) -> None:
    assert "acknowledged" in stack.command("status")
    assert "every acknowledged callback is accounted for" in stack.command("audit")


def test_no_log_shows_a_number_a_key_or_a_password(stack: Stack, report: Report) -> None:
    secrets = [company.endpoint_key for company in stack.companies.values()]
    secrets += [company.password for company in stack.companies.values()]
    for log in stack.directory.glob("*.log"):
        text = log.read_text()
        assert not [secret for secret in secrets if secret in text], log.name
        assert "+1" not in text.replace("+1000", ""), log.name


def test_the_commands_work_as_an_operator(confined: Confined, report: Report) -> None:
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
            [*vibes_pipeline(), *command],
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
            "AND relkind IN ('r', 'p', 'v') AND NOT relispartition"
        )
        kept = {"erasures", "erased_identities", "_pogo_migration", "_pogo_version"}
        readable = {row["name"] for row in names} - kept
        assert {"persons", "subscriptions", "callback_events", "current_subscriptions", "wallet_items"} <= readable
        for name in sorted(readable):
            # Of some the columns with phone numbers are kept from them: see the tests of analysts.
            await connection.fetch(f"SELECT FROM {name} LIMIT 1")


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


def test_the_broker_drops_nothing_from_the_queue_of_what_was_given_up(confined: Confined) -> None:
    assert isinstance(confined.stack.rabbitmq, LocalRabbitMQ)
    prefix = confined.stack.environment["VIBES_PIPELINE_QUEUE_PREFIX"]
    listed = confined.stack.rabbitmq.ctl("list_queues", "name", "policy")
    policies = dict(line.split("\t") for line in listed.splitlines() if line.startswith(prefix))
    assert policies.pop(f"{prefix}.dead-letters") == f"{prefix}-dead-letters"
    assert set(policies.values()) == {""}
    assert '{"delivery-limit":1000000000}' in confined.stack.rabbitmq.ctl("list_policies")


def test_the_passwords_of_the_broker_users_are_for_nobody_else_to_read(confined: Confined) -> None:
    logins = confined.broker.values()
    assert len({login.password for login in logins}) == len(logins)
    assert {(confined.passwords / login.user).stat().st_mode & 0o777 for login in logins} == {0o600}
