"""`--processes N`: several processes behind one command."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from tests.support.applying import message
from tests.support.commands import AS_USERS_DO
from tests.support.ingest import eventually
from tests.support.pipeline import PartProcess, environment_for, part, publish, story


@asynccontextmanager
async def three_workers(tmp_path: Path, database_url: str, amqp_url: str) -> AsyncIterator[PartProcess]:
    environment = environment_for(tmp_path, database_url, amqp_url)
    async with part("apply", "--processes", "3", environment=environment, command=AS_USERS_DO) as supervisor:
        await supervisor.logged("process.started", times=3)
        await consuming(supervisor, 3)
        yield supervisor


async def consuming(supervisor: PartProcess, times: int) -> None:
    """Wait until that many processes have begun to consume the apply queue."""

    def enough() -> bool:
        queues = [str(line["queue"]) for line in supervisor.events("apply.consuming")]
        return queues.count("vibes.apply.0") >= times

    await eventually(enough, f"{times} processes consume")


def workers_of(supervisor: PartProcess) -> list[psutil.Process]:
    return psutil.Process(supervisor.process.pid).children()


async def test_a_worker_that_was_killed_is_replaced(tmp_path: Path, database_url: str, amqp_url: str) -> None:
    async with three_workers(tmp_path, database_url, amqp_url) as supervisor:
        victim = workers_of(supervisor)[0]
        victim.kill()
        await supervisor.logged("process.started", times=4)
        await consuming(supervisor, 4)
        assert victim.pid not in {worker.pid for worker in workers_of(supervisor)}
        assert len(workers_of(supervisor)) == 3
        await supervisor.signal(signal.SIGTERM)
        assert supervisor.process.returncode == 0


async def test_sigterm_drains_all_of_them(tmp_path: Path, database_url: str, amqp_url: str) -> None:
    async with three_workers(tmp_path, database_url, amqp_url) as supervisor:
        await publish(amqp_url, [message(story(20, start=20 * number)) for number in range(5)])
        workers = workers_of(supervisor)
        await supervisor.signal(signal.SIGTERM)
        assert supervisor.process.returncode == 0
        assert not any(worker.is_running() for worker in workers)
        assert len(supervisor.events("process.stopped")) == 4


async def test_workers_end_when_their_supervisor_was_killed(tmp_path: Path, database_url: str, amqp_url: str) -> None:
    async with three_workers(tmp_path, database_url, amqp_url) as supervisor:
        workers = workers_of(supervisor)
        supervisor.process.kill()
        await asyncio.to_thread(psutil.wait_procs, workers, 30)
        assert not any(worker.is_running() for worker in workers)
