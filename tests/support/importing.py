"""`vibes-pipeline persons import` as a process, and what it has published."""

import asyncio
import csv
import json
import os
import re
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aio_pika
from aiormq.exceptions import ChannelNotFoundEntity

from schemas.crm_message import CrmMessage, decode
from schemas.topology import Topology
from tests.support.commands import vibes_pipeline
from tests.support.ingest import eventually

QUEUE = Topology().crm_changes.name


@dataclass(frozen=True, slots=True)
class Ended:
    """What an import printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Running:
    """An import under way; what it tells is collected."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._out, self._err = bytearray(), bytearray()
        assert process.stdout is not None
        assert process.stderr is not None
        self._reading = [
            asyncio.create_task(self._collect(process.stdout, self._out)),
            asyncio.create_task(self._collect(process.stderr, self._err)),
        ]

    async def feed(self, content: bytes) -> None:
        """Give all of standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(content)
        self._process.stdin.close()

    async def told(self, text: str) -> None:
        """Wait until it has told that on standard error."""
        await eventually(lambda: text in self._err.decode(), f"{text!r} in {self._err!r}")

    async def peak_memory(self) -> int:
        """Wait for the end; return the bytes of memory it took at most, as last seen."""
        peak = 0
        while self._process.returncode is None:
            peak = max(peak, _peak_memory(self._process.pid))
            await asyncio.sleep(0.02)
        return peak

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> Ended:
        async with asyncio.timeout(60):
            code = await self._process.wait()
            await asyncio.gather(*self._reading)
        return Ended(code, self._out.decode(), self._err.decode())

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self.ended()

    async def _collect(self, stream: asyncio.StreamReader, into: bytearray) -> None:
        while data := await stream.read(65536):
            into += data


@dataclass(slots=True)
class Importer:
    """Runs imports for a company `acme` whose files are in a directory."""

    directory: Path
    amqp_url: str = "amqp://127.0.0.1:1/"
    default_country: str = "US"
    sync: str = ""
    started: list[Running] = field(default_factory=list)

    def file(self, name: str, content: str | bytes) -> str:
        """Write a file; return its path."""
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment of an import; writes the companies file."""
        companies = self.directory / "companies.toml"
        companies.write_text(
            f'[[companies]]\ncompany_key = "acme"\nregion = "US"\ndefault_country = "{self.default_country}"\n'
            f'endpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]\n{self.sync}'
        )
        clean = {name: value for name, value in os.environ.items() if not name.startswith("VIBES_PIPELINE_")}
        return {
            **clean,
            "AMQP_URL": self.amqp_url,
            "VIBES_PIPELINE_COMPANIES_FILE": str(companies),
            "TMPDIR": str(self.directory),
            **changes,
        }

    async def start(self, *arguments: str, **environment: str) -> Running:
        process = await asyncio.create_subprocess_exec(
            *vibes_pipeline(),
            "persons",
            "import",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment(**environment),
        )
        running = Running(process)
        self.started.append(running)
        return running

    async def run(self, *arguments: str, stdin: bytes = b"", **environment: str) -> Ended:
        running = await self.start(*arguments, **environment)
        await running.feed(stdin)
        return await running.ended()

    async def json(self, *arguments: str, exit_code: int = 0, stdin: bytes = b"") -> Any:
        """Run with --json; return what was printed."""
        ended = await self.run(*arguments, "--json", stdin=stdin)
        assert ended.code == exit_code, ended
        return ended.json

    async def refusals(self, *arguments: str) -> str:
        """Run what is wrong use; return the one line that says so."""
        ended = await self.run(*arguments)
        assert ended.code == 2, ended
        assert ended.out == ""
        assert len(ended.err.splitlines()) == 1, ended.err
        return ended.err

    async def published(self) -> list[CrmMessage]:
        """Take all messages out of the queue."""
        messages = []
        async with await aio_pika.connect(self.amqp_url) as connection:
            try:
                queue = await (await connection.channel()).get_queue(QUEUE)
            except ChannelNotFoundEntity:
                return []
            while message := await queue.get(fail=False):
                await message.ack()
                assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
                messages.append(decode(message.body))
        return messages

    async def published_ids(self) -> list[str]:
        return [change.external_person_id for message in await self.published() for change in message.changes]

    async def close(self) -> None:
        for running in self.started:
            await running.end()


def _peak_memory(pid: int) -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended
    return int(found[1]) * 1024 if found else 0


def refused_rows(path: str) -> list[dict[str, str]]:
    """Return the rows of a report."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
