"""`--processes N` while callbacks come in: one process of each part is killed, and nobody but its callers sees it."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import psutil
import pytest

from deploy.local.ports import lease_port
from runtime.companies import hash_endpoint_key
from tests.chaos.engine import company_key_of, run_fault
from tests.chaos.fault import Answers, Fault, Needs
from tests.chaos.world import World
from tests.support.commands import vibes_pipeline
from tests.support.ingest import KEY, client, eventually, send
from tests.support.load import Load
from tests.support.pipeline import PartProcess, environment_for, part, story

CALLERS = 4
INGEST, APPLY = 2, 4
START_SECONDS = 60.0
"""For six processes that start at once, on a machine with other things to do."""


@dataclass
class Installation:
    """Both parts, each of several processes."""

    environment: dict[str, str]
    ingest: PartProcess
    apply: PartProcess
    url: str
    """Of the company's callbacks."""

    async def working(self, ingest: int, apply: int) -> None:
        """Wait until so many processes have begun to listen, or to consume."""

        def begun() -> bool:
            queues = [line["queue"] for line in self.apply.events("apply.consuming")]
            return len(self.ingest.events("ingest.listening")) >= ingest and queues.count("vibes.apply.0") >= apply

        await eventually(begun, f"{ingest} processes listen and {apply} consume", START_SECONDS)

    async def audit(self, receipts: Path) -> dict[str, Any]:
        """Run the audit with receipts; it waits until nothing is on its way."""
        command = [*vibes_pipeline(), "audit", "--json", "--receipts", str(receipts)]
        result = await asyncio.to_thread(
            subprocess.run, command, env=self.environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return dict(json.loads(result.stdout))


@pytest.fixture
async def installation(tmp_path: Path, database_url: str, amqp_url: str) -> AsyncIterator[Installation]:
    with lease_port() as lease:
        port = lease.getsockname()[1]
        environment = environment_for(tmp_path, database_url, amqp_url, ingest_port=port)
        give_the_endpoint_a_key(Path(environment["VIBES_PIPELINE_COMPANIES_FILE"]))
        async with (
            part("ingest", "--processes", str(INGEST), environment=environment) as ingest,
            part("apply", "--processes", str(APPLY), environment=environment) as apply,
        ):
            running = Installation(environment, ingest, apply, f"http://127.0.0.1:{port}/callbacks/{KEY}")
            await running.working(INGEST, APPLY)
            await ingest.logged("broker.connected", INGEST)
            yield running


def give_the_endpoint_a_key(companies: Path) -> None:
    companies.write_text(companies.read_text().replace("0" * 64, hash_endpoint_key(KEY)))


@asynccontextmanager
async def callbacks_to(url: str) -> AsyncIterator[Load]:
    """Let callers call, each one call after the other, until the block ends; opt-ins and opt-outs of some persons."""
    load, ended = Load(), asyncio.Event()
    bodies = iter(story(20_000))

    async def call_on() -> None:
        while not ended.is_set():
            try:
                load.answers.append(await send(session, "POST", url, next(bodies)))
            except aiohttp.ClientConnectionError:
                load.broken += 1
            await asyncio.sleep(0.01)

    async with client() as session:
        callers = [asyncio.create_task(call_on()) for _ in range(CALLERS)]
        try:
            yield load
        finally:
            ended.set()
            await asyncio.gather(*callers)


async def acknowledged(load: Load, more: int) -> None:
    """Wait until so many more callbacks have got their 202."""
    enough = load.statuses[202] + more
    await eventually(lambda: load.statuses[202] >= enough, f"{more} more callbacks are acknowledged")


def kill(pid: int) -> None:
    """SIGKILL, and wait until the process is gone."""
    victim = psutil.Process(pid)
    victim.kill()
    psutil.wait_procs([victim], 10)


@pytest.mark.timeout(300)
async def test_others_carry_on_and_a_killed_process_comes_back_without_a_difference_in_the_audit(
    installation: Installation, tmp_path: Path
) -> None:
    async with callbacks_to(installation.url) as load:
        await acknowledged(load, 200)
        for supervisor in (installation.ingest, installation.apply):
            kill(supervisor.events("process.started")[0]["pid"])
        await acknowledged(load, 200)
        await installation.working(INGEST + 1, APPLY + 1)
        await acknowledged(load, 200)

    assert set(load.statuses) == {202}, "the callers of the killed process get no answer, all others get theirs"
    assert load.broken <= CALLERS
    for supervisor, processes in ((installation.ingest, INGEST), (installation.apply, APPLY)):
        (ended,) = supervisor.events("process.ended")
        assert ended["code"] == -9
        assert len(supervisor.events("process.started")) == processes + 1

    receipts = tmp_path / "receipts"
    receipts.write_text("\n".join(load.receipts))
    audit = await installation.audit(receipts)
    assert audit["missing"] == 0
    assert [account["applied"] for account in audit["accounts"]] >= [load.statuses[202]]
    assert audit["receipts"]["checked"] == len(load.receipts) == load.statuses[202]
    assert (audit["receipts"]["missing"], audit["receipts"]["inconsistent"]) == ([], [])


class OneOfSeveralKilled(Fault):
    """Of each part a process is killed, and its supervisor starts another."""

    name = "one_of_several_killed"
    answers = Answers.MAY_BE_MISSING

    def needs(self) -> Needs:
        return Needs(processes={"ingest": INGEST, "apply": APPLY})

    async def inject(self, world: World, random: Random) -> None:
        for name in self.needs().processes:
            _supervisor, *processes = world.pids(name)
            await asyncio.to_thread(kill, random.choice(processes))
        await world.acknowledged(int(self.rate / 2))
        await world.working()


@pytest.mark.long  # half a minute: a world of its own, and the simulator's story looked up to the last callback
@pytest.mark.timeout(300)
async def test_nothing_is_lost_applied_twice_or_wrong_however_often_one_of_several_is_killed() -> None:
    fault, seed = OneOfSeveralKilled(), 1
    async with World(fault.needs(), [company_key_of(fault)], seed) as world:
        report = await run_fault(world, fault, seed, injections=3)

    assert report.problems == []
    assert report.ok
    assert (report.lost, report.double, report.diverged, report.unavailable) == (0, 0, 0, 0)
