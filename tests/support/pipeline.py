"""Parts of the pipeline as real processes, started by their command, and a publisher in the place of ingest."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aio_pika
import orjson

from runtime.amqp import declare
from schemas.broker_message import CONTENT_TYPE, CallbackMessage, encode
from schemas.topology import Topology
from tests.support.commands import vibes_pipeline
from tests.support.ingest import eventually

TOPOLOGY = Topology()


class PartProcess:
    """One part, run by `vibes-pipeline`."""

    def __init__(self, *arguments: str, environment: dict[str, str], command: tuple[str, ...] | None = None) -> None:
        self._arguments = arguments
        self._command = command
        self._environment = environment
        self.log: list[dict[str, Any]] = []

    async def start(self) -> None:
        """Start the process; its log is collected."""
        self.process = await asyncio.create_subprocess_exec(
            *(self._command or vibes_pipeline()),
            *self._arguments,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read_log())

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of that event."""
        return [line for line in self.log if line["event"] == name]

    async def logged(self, name: str, times: int = 1) -> None:
        """Wait until the event was logged that often."""
        await eventually(lambda: len(self.events(name)) >= times, f"{times} x {name} in {self.log}")

    async def signal(self, number: signal.Signals) -> None:
        """Send a signal; for one that ends the process, wait until it has."""
        self.process.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            await self.ended()

    async def ended(self) -> int:
        """Wait for the end of the process; return its exit code."""
        async with asyncio.timeout(40):
            code = await self.process.wait()
            await self._reading
        return code

    async def _read_log(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log.append(json.loads(line))


@asynccontextmanager
async def part(
    *arguments: str, environment: dict[str, str], command: tuple[str, ...] | None = None
) -> AsyncIterator[PartProcess]:
    """Run a part as long as the context lasts; `command` is what comes before the arguments."""
    running = PartProcess(*arguments, environment=environment, command=command)
    await running.start()
    try:
        yield running
    finally:
        if running.process.returncode is None:
            running.process.kill()
            await running.ended()


def environment_for(directory: Path, database_url: str, amqp_url: str, **settings: object) -> dict[str, str]:
    """Return the environment of a part: a company `acme`, free admin ports, JSON logs."""
    companies = directory / "companies.toml"
    companies.write_text(
        '[[companies]]\ncompany_key = "acme"\nregion = "US"\ndefault_country = "US"\n'
        'extra_source_ranges = ["127.0.0.0/8"]\n'
        f'endpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]\n'
    )
    values = {
        "companies_file": companies,
        "log_format": "json",
        "ingest_host": "127.0.0.1",
        **{f"{name}_admin_port": 0 for name in ("ingest", "apply", "person_sync")},
        **settings,
    }
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "AMQP_URL": amqp_url,
        **{f"VIBES_PIPELINE_{name.upper()}": str(value) for name, value in values.items()},
    }


async def publish(
    amqp_url: str,
    messages: Iterable[CallbackMessage | bytes],
    exchange: str = TOPOLOGY.callbacks.name,
    routing_key: str = "0",
) -> None:
    """Publish messages, confirmed, as ingest does; to the apply queue unless told otherwise."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        await declare(channel, TOPOLOGY)
        target = await channel.get_exchange(exchange)
        for message in messages:
            body = message if isinstance(message, bytes) else encode(message)
            await target.publish(
                aio_pika.Message(
                    body,
                    content_type=CONTENT_TYPE,
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    message_id=None if isinstance(message, bytes) else str(message.message_id),
                ),
                routing_key,
                mandatory=True,
            )


async def ready_messages(amqp_url: str, queue: str) -> int:
    """Return how many messages wait in a queue, those held by consumers left out."""
    async with await aio_pika.connect(amqp_url) as connection:
        declared = await (await connection.channel()).declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


def story(count: int, start: int = 0) -> list[bytes]:
    """Return bodies of `count` different events: opt-ins, and every third an opt-out."""
    return [
        orjson.dumps(
            {
                "event_id": f"event-{number}",
                "callback_type": "subscription_removed" if number % 3 == 0 else "subscription_added",
                "event_date": "2024-03-01T00:00:00Z",
                "subscription": {
                    "person": {"id": f"P{number % 50}", "person_key": f"K{number % 50}"},
                    "subscription_list": {"id": "L1"},
                    "opt_in_date": f"2024-01-{number % 28 + 1:02}T00:00:{number // 28 % 60:02}Z",
                    **({"opt_out_date": "2024-02-01T00:00:00Z"} if number % 3 == 0 else {}),
                },
            }
        )
        for number in range(start, start + count)
    ]
