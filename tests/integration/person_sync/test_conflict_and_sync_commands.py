"""`vibes-pipeline persons sync` and `conflicts` beside a person worker that does what they ask for."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.companies import Companies
from runtime.settings import Settings
from schemas.facts import PersonIdentity, Sighting
from tests.integration.person_sync.vibes_stand_in import VibesStandIn
from tests.integration.person_sync.world import COMPANY, SEEN_AT, World, worker
from tests.support.commands import vibes_pipeline

Command = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def swept(settings: Settings) -> Settings:
    """A worker that finds what is due by itself."""
    return settings.model_copy(update={"person_sync_sweep_seconds": 0.1})


@pytest.fixture
def command(settings: Settings, companies_file: Path) -> Command:
    """Run a command for COMPANY; returns its exit code and what it printed."""
    environment = {
        "PATH": os.environ["PATH"],
        "PASSWORD": "secret",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "VIBES_PIPELINE_COMPANIES_FILE": str(companies_file),
    }

    async def run(*arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *vibes_pipeline(), *arguments, "--company", COMPANY, env=environment, stdout=-1, stderr=-1
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    return run


async def test_a_sync_is_waited_for(
    world: World, vibes: VibesStandIn, swept: Settings, companies: Companies, command: Command
) -> None:
    vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
    await world.crm("ex1", first_name="Steve")
    async with worker(swept, companies):
        code, out, err = await command("persons", "sync", "ex1", "--wait", "30")
    assert (code, out) == (0, "1 due now: 1 synced, 0 not done, 0 conflicts, 0 waiting\n")
    assert "waiting for 1 of 1" in err
    assert vibes.persons["external/ex1"]["custom_fields"] == {"first_name": "Steve"}


async def test_a_sync_that_ends_in_a_conflict_says_so_and_why(
    world: World, vibes: VibesStandIn, swept: Settings, companies: Companies, command: Command
) -> None:
    vibes.refuse = lambda _request: 422
    vibes.errors = {"errors": [{"message": "Custom field first_name is unknown, says jane@acme.example", "code": 7}]}
    await world.crm("ex1", first_name="Steve")
    async with worker(swept, companies):
        code, out, _ = await command("persons", "sync", "ex1", "--wait", "30", "--json")
    report = json.loads(out)
    assert (code, report["conflicts"], report["waiting"]) == (1, 1, 0)
    assert report["remarks"] == [{"id": "ex1", "status": "conflict", "why": "a custom field Vibes does not take"}]
    _, shown, _ = await command("conflicts", "show", "ex1")
    assert "Vibes does not take the custom field first_name" in shown
    assert "jane@acme.example" not in shown


async def test_a_conflict_whose_cause_is_gone_is_synced_by_a_retry(
    world: World, vibes: VibesStandIn, swept: Settings, companies: Companies, command: Command
) -> None:
    vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
    vibes.refuse = lambda request: 422 if request.method == "PUT" else None
    due = await world.change("ex1", first_name="Steve")
    async with worker(swept, companies):
        await world.becomes(due, "conflict")
        vibes.refuse = lambda _request: None
        assert (await command("conflicts", "retry", "--all", "--status-code", "422"))[:2] == (0, "1 due now\n")
        row = await world.becomes(due, "synced")
    assert row["last_error"] is None
    assert vibes.persons["external/ex1"]["custom_fields"] == {"first_name": "Steve"}


async def test_a_resolved_conflict_rests_until_the_crm_changes_the_record(
    world: World, vibes: VibesStandIn, swept: Settings, companies: Companies, command: Command
) -> None:
    vibes.add("external/ex1", person_key="K1", external_person_id="ex1")
    vibes.refuse = lambda request: 409 if request.method == "PUT" else None
    due = await world.change("ex1", first_name="Steve")
    async with worker(swept, companies):
        await world.becomes(due, "conflict")
        assert (await command("conflicts", "resolve", "ex1", "--note", "nothing to do"))[0] == 0
        assert (await world.row(due))["status"] == "resolved"
        vibes.refuse = lambda _request: None
        await world.change("ex1", first_name="Stephen")
        await world.becomes(due, "synced")
    assert vibes.persons["external/ex1"]["custom_fields"] == {"first_name": "Stephen"}


async def test_a_record_is_written_to_the_person_a_human_has_accepted(
    world: World, vibes: VibesStandIn, swept: Settings, companies: Companies, command: Command
) -> None:
    person: dict[str, Any] = {"person_key": "K2", "external_person_id": "ex1"}
    vibes.add("external/ex1", "K2", **person)
    vibes.add("K1", person_key="K1", external_person_id=None)
    due = await world.change("ex1", first_name="Steve")
    await world.pool.execute("UPDATE crm_persons SET person_key = 'K1'")
    await world.tell(
        Sighting(PersonIdentity(None, "K1"), SEEN_AT, None, None, None),
        Sighting(PersonIdentity(None, "K2"), SEEN_AT, "ex1", None, None),
    )
    async with worker(swept, companies):
        await world.becomes(due, "conflict")
        _, shown, _ = await command("conflicts", "show", "ex1", "--json")
        assert json.loads(shown)["advice"]["kind"] == "external_id_moved"
        accepted = await command("conflicts", "resolve", "ex1", "--accept-person", "K2", "--note", "the same human")
        assert accepted[:2] == (0, "1 bound and due now\n")
        await world.becomes(due, "synced")
    assert vibes.persons["external/ex1"]["custom_fields"] == {"first_name": "Steve"}
    assert "custom_fields" not in vibes.persons["K1"]
