"""`vibes-pipeline status` as people and programs use it: once, again and again, on a terminal and elsewhere."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.admin import create_admin_app, start_site

NOWHERE = "amqp://127.0.0.1:1/"
ENTERED, LEFT, CURSOR_BACK = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


@pytest.fixture
def environment(database_url: str, amqp_url: str) -> dict[str, str]:
    """Services without a pipeline; a port of 0 says that no process of this machine is to be looked for."""
    parts = ("INGEST", "APPLY", "PERSON_SYNC")
    ports = {f"VIBES_PIPELINE_{part}_ADMIN_PORT": "0" for part in parts}
    return {**os.environ, **ports, "DATABASE_URL": database_url, "AMQP_URL": amqp_url}


@pytest.fixture
async def admin() -> AsyncIterator[str]:
    """The admin port of an apply process that is draining."""

    async def draining() -> str:
        return "draining"

    runner = web.AppRunner(create_admin_app("apply", draining))
    port = await start_site(runner, "127.0.0.1", 0, "PORT")
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


async def status(*arguments: str, environment: dict[str, str], **options: Any) -> asyncio.subprocess.Process:
    pipe = subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "status", *arguments),
        env=environment,
        **{"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe, **options},
    )


async def finished(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    async with asyncio.timeout(30):
        out, error = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


@pytest.mark.parametrize("told", [True, False], ids=["those it is told of", "those at the ports of the settings"])
async def test_it_asks_processes(environment: dict[str, str], admin: str, told: bool) -> None:
    if told:
        process = await status("--json", "--admin", f"{admin}/metrics", environment=environment)
    else:
        port = {"VIBES_PIPELINE_APPLY_ADMIN_PORT": admin.rpartition(":")[2]}
        process = await status("--json", environment=environment | port)
    code, out, _ = await finished(process)
    (about,) = json.loads(out)["processes"]
    assert code == 0
    assert (about["address"], about["part"], about["ready"], about["problem"]) == (admin, "apply", False, "draining")
    assert about["figures"]["oldest_unapplied_seconds"] == 0.0


async def test_what_one_service_does_not_tell_keeps_nobody_from_seeing_the_rest(
    environment: dict[str, str], admin: str
) -> None:
    process = await status("--admin", admin, environment={**environment, "AMQP_URL": NOWHERE})
    code, out, error = await finished(process)
    assert code == 1
    assert "! AMQP_URL: RabbitMQ cannot be reached" in out
    assert "is not ready: draining" in out
    assert error.startswith("vibes-pipeline: AMQP_URL: RabbitMQ cannot be reached")
    assert "Traceback" not in error


async def test_an_address_that_is_none_is_wrong_use(environment: dict[str, str]) -> None:
    code, _, error = await finished(await status("--admin", "ingest:9100", environment=environment))
    assert (code, "Example: --admin http://ingest:9100" in error) == (2, True)


@pytest.mark.parametrize("json_lines", [False, True], ids=["for people", "for programs"])
async def test_watching_writes_a_line_each_time_where_there_is_no_terminal_and_ends_at_once_when_asked_to(
    environment: dict[str, str], json_lines: bool
) -> None:
    arguments = ("--watch", "--every", "0.2", *(("--json",) if json_lines else ()))
    process = await status(*arguments, environment={**environment, "AMQP_URL": NOWHERE})
    assert process.stdout is not None
    async with asyncio.timeout(30):
        lines = [(await process.stdout.readline()).decode() for _ in range(3)]
    process.send_signal(signal.SIGTERM)
    code, _, error = await finished(process)
    assert (code, error) == (0, "")
    if json_lines:
        assert [json.loads(line)["problems"][0].split(":")[0] for line in lines] == ["AMQP_URL"] * 3
    else:
        assert all("acknowledged=" in line and "attention=AMQP_URL: RabbitMQ" in line for line in lines)


async def test_watching_ends_quietly_when_nobody_reads_any_more(environment: dict[str, str]) -> None:
    process = await status("--watch", "--every", "0.2", environment=environment)
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(30):
        await process.stdout.readline()
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # as `head -1` does
        assert await process.stderr.read() == b""
        await process.wait()


async def test_ctrl_c_gives_the_terminal_back_as_it_was(environment: dict[str, str], tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    process = await status(
        *("--watch", "--every", "0.2"),
        environment={**environment, "TERM": "xterm-256color", "COLUMNS": "110", "LINES": "40"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=_make_it_the_terminal,
    )
    os.close(terminal)
    seen = bytearray()
    while b"queue vibes.apply.0" not in seen:
        seen += await asyncio.to_thread(os.read, controller, 65536)
    os.write(controller, b"\x03")
    rest = await asyncio.to_thread(_read_all, controller)
    async with asyncio.timeout(30):
        assert await process.wait() == 0
    assert seen.startswith(ENTERED) or ENTERED in seen
    assert LEFT in rest
    assert CURSOR_BACK in rest
    assert b"Traceback" not in rest
    assert b"Aborted" not in rest


def _make_it_the_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_all(controller: int) -> bytes:
    read = bytearray()
    while True:
        try:
            part = os.read(controller, 65536)
        except OSError:  # how Linux tells that nobody is at the other end of a terminal
            break
        if not part:
            break
        read += part
    os.close(controller)
    return bytes(read)
