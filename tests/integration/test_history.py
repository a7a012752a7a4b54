"""A made-up history goes into the database through apply, and comes out as its ledger tells."""

import asyncio
import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from tests.support.applying import apply_bodies
from tests.support.commands import AS_USERS_DO, vibes_pipeline
from tests.support.pipeline import story

SPEC = ("--history", "40d", "--until", "2025-03-01", "--events", "1000", "--company", "acme")
FILES_STAY_SMALL = ("sh", "-c", 'ulimit -f 100; exec "$@"', "sh")
"""Blocks of 512 bytes: a full disk is another error, its handling is not."""


def simulate(
    database_url: str, *options: str, command: tuple[str, ...] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*(command or vibes_pipeline()), "simulate", *SPEC, *options],
        env={**os.environ, "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def fetch(database_url: str, query: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(database_url)
    try:
        return [dict(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_the_database_holds_what_the_ledger_tells_and_in_the_months_it_came(
    database_url: str, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.ndjson"
    # When a history is made up
    result = simulate(database_url, "--ledger", str(ledger), "--json")
    # Then the command has found everything in its place
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result.stdout)
    assert report["ok"]
    assert {figure["name"]: figure["ledger"] for figure in report["figures"]}["callbacks applied"] == 1000
    # And the ledger's lines are the events
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    deliveries = [line for line in lines if line["kind"] == "delivery"]
    events = await fetch(database_url, "SELECT callback_type, event_id, event_date, received_at FROM callback_events")
    assert {(event["callback_type"], event["event_id"]) for event in events} == {
        (line["callback_type"], line["event_id"]) for line in deliveries
    }
    # And the past has partitions of its own, and nobody is to be called about people who do not exist
    assert await fetch(database_url, "SELECT 1 FROM callback_events_default LIMIT 1") == []
    assert await fetch(database_url, "SELECT 1 FROM person_sync LIMIT 1") == []
    assert all(event["received_at"] - event["event_date"] >= timedelta(seconds=-1) for event in events)


def test_the_same_history_again_adds_nothing(database_url: str) -> None:
    first, second = (json.loads(simulate(database_url, "--json").stdout) for _ in range(2))
    assert first["figures"] == second["figures"]
    assert second["ok"]


async def test_a_command_that_was_killed_is_carried_on_by_the_same_command(database_url: str) -> None:
    # Given a command that is killed when it has applied something
    options = ("--events", "6000", "--json")
    killed = await asyncio.create_subprocess_exec(
        *(*vibes_pipeline(), "simulate", *SPEC, *options),
        env={**os.environ, "DATABASE_URL": database_url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    connection = await asyncpg.connect(database_url)
    try:
        while await connection.fetchval("SELECT count(*) FROM callback_messages") < 100:
            await connection.execute("SELECT pg_sleep(0.02)")
        killed.kill()
        await killed.wait()
        before = await connection.fetchval("SELECT count(*) FROM callback_events")
    finally:
        await connection.close()
    assert 0 < before < 6000
    # When it is given again
    result = simulate(database_url, *options)
    # Then the history is whole
    assert result.returncode == 0, result.stdout + result.stderr


async def test_when_the_process_that_makes_it_up_dies_the_command_says_so_and_can_be_given_again(
    database_url: str,
) -> None:
    # Given a command that has applied something of a history that is not made up to its end
    command = await asyncio.create_subprocess_exec(
        *(*AS_USERS_DO, "simulate", *SPEC, "--events", "20000"),
        env={**os.environ, "DATABASE_URL": database_url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    connection = await asyncpg.connect(database_url)
    try:
        while not await connection.fetchval("SELECT count(*) FROM callback_messages"):
            await connection.execute("SELECT pg_sleep(0.02)")
    finally:
        await connection.close()
    # When the process that makes it up is killed
    [teller] = psutil.Process(command.pid).children()
    teller.kill()
    # Then the command says what happened and what to do
    _, told = await asyncio.wait_for(command.communicate(), 30)
    assert command.returncode == 1
    assert "ended with code -9; the same command goes on from here" in told.decode()
    assert "Traceback" not in told.decode()


def test_a_ledger_that_cannot_be_kept_ends_the_command(database_url: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.ndjson"
    result = simulate(database_url, "--ledger", str(ledger), command=(*FILES_STAY_SMALL, *AS_USERS_DO))
    assert result.returncode == 1
    assert f"--ledger {ledger}: cannot be written (File too large)" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_company_with_another_history_is_refused(database_url: str) -> None:
    assert simulate(database_url).returncode == 0
    result = simulate(database_url, "--seed", "2")
    assert result.returncode == 2
    assert "not of this history" in result.stderr


async def test_a_company_with_real_callbacks_is_refused(database_url: str) -> None:
    async with asyncpg.create_pool(database_url, min_size=0, max_size=2) as pool:
        await apply_bodies(pool, story(3))
    result = simulate(database_url)
    assert result.returncode == 2
    assert "--company acme" in result.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--history", "a year"), "--history a year: days or weeks"),
        (("--events", "0"), "--events 0"),
        (("--until", "2999-01-01"), "in the future"),
        (("--until", "yesterday"), "--until yesterday: a day"),
        (("--company", "a b"), "no such key"),
        (("--ledger", "/nowhere/ledger"), "--ledger /nowhere/ledger: cannot be written"),
    ],
)
def test_wrong_use_is_told_in_a_line(options: tuple[str, ...], told: str) -> None:
    result = simulate("postgresql://localhost:1/nothing", *options)
    assert result.returncode == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_a_database_that_is_away_is_told() -> None:
    result = simulate("postgresql://localhost:1/nothing")
    assert result.returncode == 1
    assert "DATABASE_URL: Postgres cannot be reached" in result.stderr
