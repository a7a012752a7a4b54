"""Runs ingest for tests, in this process or as one of its own, calls it as Vibes would, and reads its queues."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import aiohttp

from deploy.local.ports import lease_port
from ingest.process import serve
from runtime.companies import Companies, hash_endpoint_key
from runtime.settings import Settings, load_settings
from schemas.broker_message import CallbackMessage, ReceivedCallback, decode
from schemas.topology import Queue, Topology
from tests.support.commands import forked

KEY, SECOND_KEY = "k" * 43, "s" * 43
VIBES, STRANGER = "127.0.0.1", "127.0.0.9"
"""Both are this machine; only the first is an address the companies below take callbacks from."""

COMPANIES: dict[str, Any] = {
    "companies": [
        {
            "company_key": "acme",
            "region": "US",
            "extra_source_ranges": [f"{VIBES}/32"],
            "endpoints": [{"name": "main", "key_sha256": hash_endpoint_key(KEY)}],
        },
        {
            "company_key": "globex",
            "region": "EU",
            "extra_source_ranges": [f"{VIBES}/32"],
            "endpoints": [{"name": "main", "key_sha256": hash_endpoint_key(SECOND_KEY)}],
        },
    ]
}


@dataclass
class Answer:
    """What a call was answered."""

    status: int
    headers: dict[str, str]
    seconds: float
    body: bytes = b""

    @property
    def receipt(self) -> str:
        return self.headers["X-Receipt-Id"]


@dataclass
class Ingest:
    """A running ingest."""

    url: str
    admin_url: str
    topology: Topology
    process: asyncio.subprocess.Process | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    log: list[dict[str, Any]] = field(default_factory=list)
    """The lines a process of its own has written so far."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def callback_url(self, key: str = KEY) -> str:
        return f"{self.url}/callbacks/{key}"

    async def post(self, body: Any = b"{}", *, key: str = KEY, **options: Any) -> Answer:
        return await self.call("POST", self.callback_url(key), body, **options)

    async def call(self, method: str, url: str, body: Any = b"", *, source: str = VIBES, **options: Any) -> Answer:
        async with client(source) as session:
            return await send(session, method, url, body, **options)

    async def ready(self) -> bool:
        return (await self.call("GET", f"{self.admin_url}/readyz")).status == 200

    async def metrics(self) -> dict[str, float]:
        text = (await self.call("GET", f"{self.admin_url}/metrics")).body.decode()
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}


def client(source: str = VIBES, connections: int = 0) -> aiohttp.ClientSession:
    """Return a session whose calls come from `source`."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(source, 0), limit=connections))


async def send(session: aiohttp.ClientSession, method: str, url: str, body: Any = b"", **options: Any) -> Answer:
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with session.request(method, url, data=body, allow_redirects=False, **options) as response:
        read = await response.read()
        return Answer(response.status, dict(response.headers), loop.time() - started, read)


async def eventually(condition: Callable[[], Awaitable[bool] | bool], what: str, within: float = 20.0) -> None:
    """Wait until the condition holds."""
    try:
        async with asyncio.timeout(within):
            while True:
                holds = condition()
                if holds if isinstance(holds, bool) else await holds:
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {within} seconds: {what}") from None


@contextmanager
def settings_for(amqp_url: str, **overrides: Any) -> Iterator[Settings]:
    """Settings with ports that nobody else is given while the context lasts."""
    with lease_port() as port, lease_port() as admin_port:
        defaults = {
            "ingest_host": "127.0.0.1",
            "ingest_port": port.getsockname()[1],
            "ingest_admin_port": admin_port.getsockname()[1],
        }
        yield load_settings(amqp_url=amqp_url, **{**defaults, **overrides})


@asynccontextmanager
async def ingest_here(
    amqp_url: str, *, wait_ready: bool = True, companies: dict[str, Any] = COMPANIES, **overrides: Any
) -> AsyncIterator[Ingest]:
    """Run ingest as a task of this event loop."""
    with settings_for(amqp_url, **overrides) as settings:
        running = Ingest(
            f"http://127.0.0.1:{settings.ingest_port}",
            f"http://127.0.0.1:{settings.ingest_admin_port}",
            settings.topology,
        )
        task = asyncio.create_task(serve(settings, Companies.model_validate(companies), running.stop))
        try:
            await eventually(lambda: task.done() or _listens(settings.ingest_admin_port), "ingest listens")
            if wait_ready:
                await eventually(running.ready, "ingest is ready")
            yield running
        finally:
            running.stop.set()
            await task


@asynccontextmanager
async def ingest_process(
    amqp_url: str,
    *arguments: str,
    wait_ready: bool = True,
    companies: dict[str, Any] = COMPANIES,
    **environment: Any,
) -> AsyncIterator[Ingest]:
    """Run ingest as a process of its own; `environment` are settings by field name."""
    values = {"ingest_host": "127.0.0.1", "ingest_port": 0, "ingest_admin_port": 0, "log_format": "json", **environment}
    process = await asyncio.create_subprocess_exec(
        *forked("tests.support.run_ingest"),
        json.dumps(companies),
        *arguments,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            **{f"VIBES_PIPELINE_{name.upper()}": str(value) for name, value in values.items()},
            "AMQP_URL": amqp_url,
        },
    )
    lines: list[dict[str, Any]] = []
    reading = asyncio.create_task(_read_log(process, lines))
    try:
        await eventually(lambda: process.returncode is not None or bool(_find(lines, "ingest.listening")), "ports")
        ports = _find(lines, "ingest.listening")[0]
        running = Ingest(
            f"http://127.0.0.1:{ports['port']}",
            f"http://127.0.0.1:{ports['admin_port']}",
            Topology(),
            process,
            log=lines,
        )
        if wait_ready:
            await eventually(running.ready, "ingest is ready")
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()
        await reading


async def read_messages(amqp_url: str, topology: Topology) -> list[CallbackMessage]:
    """Take every message out of the apply queues."""
    return [decode(message.body) for message in await read_raw(amqp_url, topology)]


async def read_raw(amqp_url: str, topology: Topology, *queues: Queue) -> list[aio_pika.abc.AbstractIncomingMessage]:
    """Take every message out of these queues, or out of the apply queues."""
    taken = []
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        for item in queues or topology.apply:
            queue = await channel.get_queue(item.name)
            while (message := await queue.get(no_ack=True, fail=False)) is not None:
                taken.append(message)
    return taken


def by_receipt(messages: list[CallbackMessage]) -> dict[str, ReceivedCallback]:
    """Return every callback in the messages by its receipt."""
    return {
        f"{message.message_id}/{position}": callback
        for message in messages
        for position, callback in enumerate(message.callbacks)
    }


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def _read_log(process: asyncio.subprocess.Process, lines: list[dict[str, Any]]) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        try:
            lines.append(json.loads(line))
        except ValueError:
            lines.append({"event": "not a log line", "text": line.decode()})


def _find(lines: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == event]
