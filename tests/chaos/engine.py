"""Runs faults: load, injections, healing, drain, verdict."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import asyncpg

from deploy.local.errors import ServiceError
from tests.chaos.fault import Answers, Fault
from tests.chaos.load import Calls
from tests.chaos.oracle import Happened, Verdict, judge, read_stored
from tests.chaos.report import FaultReport
from tests.chaos.world import World

_BEFORE: Final = (0.6, 2.0)
"""Seconds' worth of callbacks that are acknowledged before each injection, and after the last."""
_FLOW_SECONDS = 90.0
"""The longest it may take after a fault until callbacks flow again."""
_DELIVERED_SECONDS = 60.0
_DRAIN_SECONDS = 180.0
_LOOK_SECONDS = 0.5
_SAMPLE_SECONDS = 1.0
_MOST_RSS_MIB = 400
"""Of one process. A worker that has done nothing has about 80."""


async def run_fault(world: World, fault: Fault, seed: int, injections: int) -> FaultReport:
    """Inject a fault several times under load, heal, drain and judge. Never raises for the fault's sake."""
    report, random = FaultReport(fault.name), Random(f"{seed} {fault.name}")
    began = time.monotonic()
    world.begin(company_key_of(fault), random, fault.rate)
    try:
        async with _memory_watched(world, report):
            for _ in range(injections):
                await world.acknowledged(int(fault.rate * random.uniform(*_BEFORE)), _FLOW_SECONDS)
                await fault.inject(world, random)
                report.injections += 1
            await world.acknowledged(int(fault.rate * random.uniform(*_BEFORE)), _FLOW_SECONDS)
            await world.load.finish(_DELIVERED_SECONDS)
            loaded = time.monotonic()
            await world.working()
            await drain(world)
            report.drain_seconds = round(time.monotonic() - loaded, 1)
    except (ServiceError, TimeoutError) as error:
        report.note(f"{type(error).__name__}: {error}")
        await world.load.abandon()
    async with _database(world) as connection:
        stored = await read_stored(connection, world.company_key)
    key = world.company_key
    happened = Happened(world.calls.acknowledged, world.answers[key], world.crm_changes[key])
    verdict = await asyncio.to_thread(judge, happened, stored)
    _note_verdict(report, verdict)
    _note_answers(report, world.calls, fault.answers)
    if not report.problems:
        await _audit(world, report)
    report.ok = verdict.ok and not report.bad_answers and not report.problems
    report.seconds = round(time.monotonic() - began, 1)
    return report


def company_key_of(fault: Fault) -> str:
    """Return the company whose callbacks flow during a fault."""
    return fault.name.replace("_", "-")


async def drain(world: World, timeout: float = _DRAIN_SECONDS) -> None:
    """Wait until nothing is on its way: echoes of API writes, queues, syncs. Raises ServiceError if that does not end.

    What is missing then is lost: the oracle says what.
    """
    deadline = time.monotonic() + timeout
    quiet = 0
    while quiet < 2:
        waiting = await _waiting(world)
        quiet = 0 if waiting else quiet + 1
        if waiting and time.monotonic() > deadline:
            raise ServiceError(f"not drained after {timeout:g} s: {waiting}")
        await asyncio.sleep(_LOOK_SECONDS)


async def _waiting(world: World) -> str | None:
    """Return something there still is to do. The broker is asked last: that costs most."""
    echoes = world.simulator.company(world.company_key).echoes
    if left := echoes.planned - echoes.acknowledged - echoes.lost - echoes.gave_up:
        return f"{left} echoes of API writes"
    (row,) = await world.sql("SELECT count(*) AS due FROM person_sync WHERE status IN ('pending', 'postponed')")
    if row["due"]:
        return f"{row['due']} syncs"
    depths = await asyncio.to_thread(world.rabbitmq.queue_depths)
    filled = [f"{count} messages in {queue}" for queue, count in depths.items() if count]
    return ", ".join(filled) or None


async def _audit(world: World, report: FaultReport) -> None:
    """Have the pipeline's own audit compare, with the receipts of this fault."""
    receipts = world.stack.directory / f"{world.company_key}.receipts"
    receipts.write_text("\n".join(each.receipt or "" for each in world.calls.acknowledged))
    try:
        await asyncio.to_thread(world.stack.command, "audit", "--json", "--receipts", str(receipts))
    except ServiceError as error:
        report.note(f"the audit has found a difference: {error}")


def _note_verdict(report: FaultReport, verdict: Verdict) -> None:
    report.lost, report.double, report.diverged = len(verdict.lost), len(verdict.double), len(verdict.diverged)
    for name in ("lost", "double", "diverged"):
        report.note(*(f"{name}: {problem}" for problem in getattr(verdict, name)[:5]))


def _note_answers(report: FaultReport, calls: Calls, allowed: Answers) -> None:
    statuses = {int(answer): count for answer, count in calls.answers.items() if answer.isdecimal()}
    report.acknowledged = len(calls.acknowledged)
    report.unavailable = statuses.get(503, 0)
    report.unanswered = calls.missing
    report.stalled = calls.stalled
    report.max_answer_ms = round(calls.slowest * 1000, 1)
    wrong = sum(count for status, count in statuses.items() if not 200 <= status < 300 and status != 503)
    report.bad_answers = wrong
    if allowed is not Answers.MAY_BE_MISSING:
        report.bad_answers += calls.missing + calls.late
    if allowed is Answers.ALL_ACCEPTED:
        report.bad_answers += report.unavailable
    if report.bad_answers:
        report.note(f"answers: {dict(calls.answers)}, {calls.late} late; the last of these: {list(calls.worst)[-5:]}")


@asynccontextmanager
async def _memory_watched(world: World, report: FaultReport) -> AsyncIterator[None]:
    async def watch() -> None:
        while True:
            for name, part in list(world.parts.items()):
                mib = (await asyncio.to_thread(part.rss)) // 2**20
                report.rss_mib[name] = max(report.rss_mib.get(name, 0), mib)
            await asyncio.sleep(_SAMPLE_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        report.note(*(f"{name} had {mib} MiB" for name, mib in report.rss_mib.items() if mib > _MOST_RSS_MIB))


@asynccontextmanager
async def _database(world: World) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(world.database_url, server_settings={"timezone": "UTC"})
    try:
        yield connection
    finally:
        await connection.close()
