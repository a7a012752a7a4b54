"""A run goes on where it was, waits out trouble, and leaves the rate to others."""

import asyncio
import csv
import json
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.integration.reconcile.world import World
from tests.support.ingest import eventually
from vibes_api import AccessDenied
from workers.person_sync.rate import FleetRate
from workers.reconcile.drift import Kind
from workers.reconcile.targets import Options

Start = Callable[..., Awaitable[World]]


async def subscribers(world: World, count: int) -> None:
    """Have so many people subscribed whose profiles were never told."""
    for number in range(count):
        await world.sign_up(number)
    bodies = await world.arrived(4 * count)
    await world.apply([body for body in bodies if b'"subscription"' in body])
    assert len(await world.known_persons()) == count


def rows_of(report: Path) -> list[dict[str, str]]:
    with report.open(newline="") as file:
        return list(csv.DictReader(file))


# --- resuming


async def test_a_run_that_was_killed_goes_on_after_those_it_dealt_with(world: World) -> None:
    await subscribers(world, 40)
    await world.faults(latency_rate=1, latency_seconds=0.1)
    process = await world.start_command("--json", person_sync_concurrency=2)

    async def is_on_its_way() -> bool:
        rows = await world.pool.fetch("SELECT persons FROM reconciliations WHERE persons > 0")
        return bool(rows)

    await eventually(is_on_its_way, "a saved cursor")
    process.kill()
    await process.communicate()
    before = await world.row()
    assert before["status"] == "unfinished"
    assert 0 < before["persons"] < 40
    await world.faults(latency_rate=0)

    code, out, err = await world.command("--json")
    told = json.loads(out)
    assert (code, told["resumed"], told["finished"]) == (0, True, True), err
    assert "carrying on the run" in err
    assert (told["run_id"], told["persons"]) == (str(before["run_id"]), 40)
    assert (await world.row())["status"] == "finished"
    assert (await world.reconcile()).tally.found.total() == 0


async def test_ctrl_c_ends_it_in_order_and_says_how_to_go_on(world: World, tmp_path: Path) -> None:
    await subscribers(world, 20)
    await world.faults(latency_rate=1, latency_seconds=0.2)
    report = tmp_path / "report.csv"
    process = await world.start_command("--report", str(report), person_sync_concurrency=2)
    await eventually(lambda: report.exists() and report.stat().st_size > 200, "rows in the report")
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert process.returncode == 1
    assert "interrupted: run the same command again to carry on" in out.decode()
    assert "Traceback" not in err.decode()
    done = (await world.row())["persons"]
    assert 0 < done < 20

    await world.faults(latency_rate=0)
    assert (await world.command("--report", str(report)))[0] == 0
    rows = rows_of(report)
    assert {row["kind"] for row in rows} == {Kind.PROFILE_MISSING}
    assert {row["external_person_id"] for row in rows} == {f"ex{number}" for number in range(20)}


async def test_a_limit_spreads_a_run_over_several_calls(world: World) -> None:
    await subscribers(world, 5)
    first = await world.reconcile(limit=3)
    assert (first.finished, first.tally.persons) == (False, 3)
    second = await world.reconcile(limit=3)
    assert (second.run_id, second.resumed, second.finished, second.tally.persons) == (first.run_id, True, True, 5)


async def test_it_is_finished_only_when_the_last_person_is(world: World) -> None:
    await subscribers(world, 5)
    run = await world.reconcile()
    assert run.finished
    assert world.seen.finished == [False] * 5


async def test_other_options_or_a_restart_begin_another_run(world: World) -> None:
    await subscribers(world, 3)
    first = await world.reconcile(limit=1)
    other = await world.reconcile(Options(dry_run=True), limit=1)
    anew = await world.reconcile(restart=True)
    assert len({first.run_id, other.run_id, anew.run_id}) == 3
    assert (anew.finished, anew.tally.persons) == (True, 3)
    statuses = await world.pool.fetch("SELECT run_id, status FROM reconciliations")
    assert {row["run_id"]: row["status"] for row in statuses} == {
        first.run_id: "abandoned",
        other.run_id: "unfinished",
        anew.run_id: "finished",
    }


async def test_a_run_among_the_records_of_the_crm_goes_on_there(world: World) -> None:
    await subscribers(world, 2)
    for number in range(10, 14):
        await world.pool.execute(
            "INSERT INTO crm_persons (company_key, external_person_id, updated_at) VALUES ('acme', $1, now())",
            f"ex{number}",
        )
    options = Options(crm=True)
    assert (await world.reconcile(options, limit=4)).cursor.after_record is not None
    rest = await world.reconcile(options)
    assert (rest.finished, rest.tally.persons, rest.tally.found[Kind.CRM_UNKNOWN]) == (True, 6, 4)


async def test_one_run_of_a_company_at_a_time(world: World) -> None:
    await subscribers(world, 5)
    await world.faults(latency_rate=1, latency_seconds=1.0)
    first = await world.start_command("--json", person_sync_concurrency=1)

    async def is_running() -> bool:
        return await world.asked() > 5 and bool(await world.pool.fetch("SELECT 1 FROM reconciliations"))

    await eventually(is_running, "a run", within=30)
    code, _, err = await world.command()
    assert code == 1
    assert "company acme is being reconciled already" in err
    first.kill()
    await first.communicate()


# --- trouble


async def test_an_outage_is_waited_out_and_nobody_fails_for_it(world: World) -> None:
    await subscribers(world, 12)
    await world.faults(error_rate=1)
    running = asyncio.create_task(world.reconcile())
    await eventually(lambda: any("waiting" in notice for notice in world.seen.notices), "a notice")
    await world.faults(error_rate=0)
    run = await running
    # Those whose calls opened the breaker may have failed; the next run has them.
    assert run.finished
    assert run.tally.persons == 12
    assert run.tally.failed <= 8
    assert (await world.reconcile()).tally.failed == 0
    assert (await world.reconcile()).tally.found.total() == 0


async def test_a_person_who_fails_is_told_and_does_not_stop_the_others(start: Start) -> None:
    world = await start()
    await subscribers(world, 6)
    await world.faults(error_rate=0.35)
    run = await world.reconcile()
    failed = [finding for finding in world.seen.findings if finding.failure]
    assert run.finished
    assert len(failed) == run.tally.failed > 0
    assert all("503" in str(each.failure) or "500" in str(each.failure) for each in failed)
    await world.faults(error_rate=0)
    run = await world.reconcile()
    assert run.tally.failed == 0
    assert (await world.reconcile()).tally.found.total() == 0


async def test_a_429_slows_it_down_and_fails_nobody(start: Start) -> None:
    world = await start(rate=400.0, rate_limit=60)
    for number in range(10):
        await world.sign_up(number)
    await world.apply(await world.arrived(40))
    run = await world.reconcile()
    assert (run.finished, run.tally.failed) == (True, 0)


async def test_wrong_credentials_end_it_at_once_with_what_to_check(world: World) -> None:
    await subscribers(world, 3)
    world.write_companies(api_username="somebody@else.com")
    with pytest.raises(AccessDenied):
        await world.reconcile()
    code, _, err = await world.command()
    assert code == 2
    assert "Vibes denies access (401); check api_username" in err
    assert "Traceback" not in err
    row = await world.row()
    assert (row["status"], row["persons"], row["failed"]) == ("unfinished", 0, 0)
    world.write_companies()
    assert (await world.reconcile()).tally.persons == 3


async def test_a_company_without_credentials_is_told_so(world: World) -> None:
    world.write_companies(api_username="", api_password_env="")
    code, _, err = await world.command()
    assert code == 2
    assert "company acme: no API credentials; set api_username" in err


# --- the rate


async def test_it_waits_for_live_calls(start: Start) -> None:
    world = await start(rate=40.0)
    await subscribers(world, 10)
    before = await world.asked()
    live = FleetRate(world.pool, "acme", 40.0)
    busy = True
    calls = 0

    async def keep_busy() -> None:
        nonlocal calls
        while busy:
            await live.wait_for_slot()
            calls += 1

    # While live calls want the whole rate, and had it before
    callers = [asyncio.create_task(keep_busy()) for _ in range(20)]
    await eventually(lambda: calls >= 20, "live calls at the rate")
    running = asyncio.create_task(world.reconcile())
    await eventually(lambda: calls >= 100, "live calls of two seconds")
    during = await world.asked() - before
    busy = False
    await asyncio.gather(*callers)
    run = await running
    assert (run.finished, run.tally.failed) == (True, 0)
    assert during <= 4
    assert await world.asked() - before >= 20


# --- the command


async def test_it_prints_what_was_found_and_repaired(world: World) -> None:
    await subscribers(world, 2)
    code, out, _ = await world.command()
    assert code == 0
    assert "profile_missing" in out
    assert "everything that differed was repaired" in out
    code, out, _ = await world.command()
    assert (code, "everything that was compared agrees" in out) == (0, True)


async def test_something_that_remains_is_exit_code_1(world: World, tmp_path: Path) -> None:
    await subscribers(world, 1)
    report = tmp_path / "report.csv"
    code, out, _ = await world.command("--dry-run", "--report", str(report))
    assert (code, "a dry run: nothing was changed" in out) == (1, True)
    (row,) = rows_of(report)
    assert (row["kind"], row["external_person_id"], row["repaired"]) == ("profile_missing", "ex0", "no")
    assert "Steve" not in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


async def test_single_persons_are_compared_by_their_ids_known_or_not(world: World) -> None:
    person = await world.sign_up(1)
    await world.sign_up(2)
    code, out, _ = await world.command("--person-key", person["person_key"], "--external-id", "ex2", "--json")
    told = json.loads(out)
    assert (code, told["persons"], told["drift"]["stay_missing"]) == (0, 2, {"found": 2, "repaired": 2})
    assert await world.subscribed() == 2
    assert await world.pool.fetch("SELECT FROM reconciliations") == []
    code, out, _ = await world.command("--external-id", "ex1", "--external-id", "nobody", "--json")
    assert (code, json.loads(out)["drift"]["person_gone"]) == (1, {"found": 1, "repaired": 0})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--not-seen-since", "soon"), "hours, days or weeks, such as 12h, 30d or 4w"),
        (("--external-id", "ex1", "--crm"), "name single persons; leave out"),
        (("--external-id", " "), "blank; name a person"),
        (("--company", "another"), "not in the companies file"),
        (("--report", "/nowhere/report.csv"), "--report /nowhere/report.csv: cannot be written"),
    ],
)
async def test_wrong_use_is_told_in_a_line(world: World, arguments: tuple[str, ...], problem: str) -> None:
    code, _, err = await world.command(*arguments)
    assert code == 2
    assert problem in err
    assert "Traceback" not in err
