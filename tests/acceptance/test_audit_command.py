"""`vibes-pipeline audit`: what it finds, in figures and as exit code, and what apply shows of it on /metrics."""

import asyncio
import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import UUID

import asyncpg
import pytest

from ingest.ids import uuid7
from schemas.broker_message import CallbackMessage
from tests.support.applying import message
from tests.support.commands import vibes_pipeline
from tests.support.ingest import eventually
from tests.support.pipeline import PartProcess, environment_for, part, publish, story

NOW = datetime.now(UTC)
RECORDED = "SELECT count(*) FROM callback_messages"


class Installation:
    """A database and a broker, an apply process, and the commands of an operator."""

    def __init__(self, environment: dict[str, str], apply: PartProcess) -> None:
        self._environment = environment
        self._apply = apply

    async def applied(self, *messages: CallbackMessage) -> None:
        """Publish messages as ingest does, and wait until apply has dealt with them."""
        before = await self.ask(RECORDED)
        await publish(self._environment["AMQP_URL"], messages)

        async def dealt_with() -> bool:
            return bool(await self.ask(RECORDED) == before + len(messages))

        await eventually(dealt_with, "the messages are applied")

    async def ask(self, statement: str) -> Any:
        connection = await asyncpg.connect(self._environment["DATABASE_URL"])
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*vibes_pipeline(), "audit", "--settle-seconds", "0", *arguments]
        return await asyncio.to_thread(
            subprocess.run, command, env=self._environment, capture_output=True, text=True, check=False
        )

    async def audit(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        result = await self.run("--json", *arguments)
        assert result.returncode == exit_code, result.stdout + result.stderr
        return dict(json.loads(result.stdout))

    def metrics(self) -> str:
        (started,) = self._apply.events("apply.started")
        with urlopen(f"http://127.0.0.1:{started['admin_port']}/metrics") as response:
            return str(response.read().decode())


def published(bodies: list[bytes], *, hours_ago: int, told: int, company_key: str = "acme") -> CallbackMessage:
    """A message as an ingest process published it then."""
    milliseconds = int((NOW - timedelta(hours=hours_ago)).timestamp() * 1000)
    message_id = UUID(int=milliseconds << 80 | uuid7().int % (1 << 80))
    return replace(message(bodies, company_key), message_id=message_id, acknowledged=told)


def hour(hours_ago: int) -> str:
    begins = (NOW - timedelta(hours=hours_ago)).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    return f"{begins.isoformat()}Z"


async def test_an_installation_is_audited(tmp_path: Path, database_url: str, amqp_url: str) -> None:
    environment = environment_for(tmp_path, database_url, amqp_url)
    async with part("apply", environment=environment) as apply:
        await apply.logged("apply.consuming", times=3)
        installation = Installation(environment, apply)
        await everything_is_accounted_for(installation)
        await hours_companies_and_ids_can_be_asked_for(installation)
        await a_callback_that_was_acknowledged_and_is_missing_is_a_difference(installation)
        await one_that_is_not_where_its_outcome_says_is_found_by_its_id(installation)


async def everything_is_accounted_for(installation: Installation) -> None:
    await installation.applied(
        published([*story(4), b"not JSON"], hours_ago=3, told=0),
        published(story(6), hours_ago=2, told=4),
        published([], hours_ago=2, told=11),
        published(story(2, start=90), hours_ago=2, told=0, company_key="other"),
        published([], hours_ago=2, told=2, company_key="other"),
    )
    audit = await installation.audit()
    assert (audit["ok"], audit["missing"], audit["difference"], audit["in_flight"]) == (True, 0, 0, 0)
    assert (audit["hours"], audit["receipts"], audit["positions"]) == (None, None, None)
    acme, other = audit["accounts"]
    figures = ("company_key", "acknowledged", "applied", "duplicates", "quarantined", "missing", "unreported")
    assert tuple(acme[name] for name in figures) == ("acme", 11, 6, 4, 1, 0, 0)
    assert tuple(other[name] for name in figures) == ("other", 2, 2, 0, 0, 0, 0)


async def hours_companies_and_ids_can_be_asked_for(installation: Installation) -> None:
    audit = await installation.audit("--by-hour", "--by-id", "--company", "acme")
    told = [(each["hour"], each["acknowledged"], each["missing"], each["unreported"]) for each in audit["hours"]]
    assert told == [(hour(3), 5, 0, 0), (hour(2), 6, 0, 0)]
    assert (audit["positions"]["checked"], audit["positions"]["inconsistent"]) == (11, 0)
    audit = await installation.audit("--since", hour(2), "--by-id")
    assert audit["since"] == hour(2)
    assert [account["acknowledged"] for account in audit["accounts"]] == [6, 2]
    assert audit["positions"]["checked"] == 8
    tables = await installation.run("--since", hour(2), "--by-id")
    assert "callbacks looked up: 8, inconsistent: 0" in tables.stdout
    assert hour(2)[:10] in tables.stdout
    assert (await installation.run("--since", "yesterday")).returncode == 2


async def a_callback_that_was_acknowledged_and_is_missing_is_a_difference(installation: Installation) -> None:
    await installation.applied(published(story(1, start=40), hours_ago=1, told=13))
    audit = await installation.audit("--since", hour(4), exit_code=1)
    assert (audit["ok"], audit["missing"], audit["difference"]) == (False, 1, 1)
    assert [each["missing"] for each in audit["hours"]] == [0, 0, 1, 0]
    assert (await installation.audit("--until", hour(1)))["difference"] == 0
    missing = 'vibes_audit_missing_callbacks{company_key="acme"} 1.0'
    await eventually(lambda: missing in installation.metrics(), "the difference is shown", within=40)
    assert 'vibes_audit_missing_callbacks{company_key="other"} 0.0' in installation.metrics()


async def one_that_is_not_where_its_outcome_says_is_found_by_its_id(installation: Installation) -> None:
    await installation.applied(published([], hours_ago=1, told=12))
    await installation.ask("DELETE FROM callback_events WHERE event_id = 'event-40'")
    audit = await installation.audit("--since", hour(1), "--by-id", exit_code=1)
    assert (audit["positions"]["inconsistent"], len(audit["positions"]["examples"])) == (1, 1)
    assert (await installation.audit("--since", hour(4), "--until", hour(1), "--by-id"))["ok"]


@pytest.mark.parametrize("options", [("--since", "2024-03-01T14:00", "--until", "2024-03-01T13:00"), ("--until", "x")])
def test_a_span_that_is_none_is_wrong_use(options: tuple[str, ...]) -> None:
    result = subprocess.run([*vibes_pipeline(), "audit", *options], capture_output=True, text=True, check=False)
    assert (result.returncode, "Traceback" in result.stderr) == (2, False)
    assert "--until" in result.stderr
