"""How long the pipeline's own apply processes need for queues that are full."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import psutil

from benchmarks.apply.cpu import broker_of, cpu_seconds, server_cpu_seconds, server_of
from benchmarks.apply.gate import held
from benchmarks.apply.progress import follow
from deploy.local.errors import ServiceError
from deploy.local.processes import log_tail
from deploy.local.stack import Part, Stack

_DEALT_WITH = """
SELECT coalesce(sum(applied + duplicates + quarantined + dead_lettered), 0)::bigint FROM callback_messages
"""
_TRANSACTIONS = "SELECT count(DISTINCT applied_at) FROM callback_messages WHERE applied_at >= $1"


@dataclass(frozen=True, slots=True)
class Drained:
    """What it took to empty the queues."""

    events: int
    """Callbacks dealt with in `seconds`: all but those of the first moment."""
    seconds: float
    total: int
    """Callbacks dealt with in all."""
    transactions: int
    """In all."""
    apply_cpu_seconds: float
    """Of all apply processes, without their start."""
    postgres_cpu_seconds: float | None
    """Of the whole server; None when it runs elsewhere."""
    broker_cpu_seconds: float | None
    """Likewise of RabbitMQ."""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def drain(stack: Stack, expected: int, *, processes: int = 1, settings: Mapping[str, str] | None = None) -> Drained:
    """Have apply processes deal with the `expected` callbacks that wait in the stack's queues.

    The processes, told `settings` as environment variables, are started here, begin together once all of them are
    ready, and have ended on return; the stack must have none before. Raises ServiceError when one of them fails, or
    when nothing goes on any more.
    """
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(stack.database_url))
        server = server_of(connection.get_server_pid())
        broker = broker_of(stack.environment["AMQP_URL"])

        def dealt_with() -> int:
            return int(runner.run(connection.fetchval(_DEALT_WITH)))

        before, since = dealt_with(), runner.run(connection.fetchval("SELECT clock_timestamp()"))
        with held(stack.database_url, "callback_ledger"):
            parts = [stack.start(f"apply-{number}", settings) for number in range(1, processes + 1)]
            before_cpu = _used(parts, server, broker)
        progress = follow(lambda: dealt_with() - before, expected, lambda: _check(parts))
        after_cpu = _used(parts, server, broker)
        transactions = runner.run(connection.fetchval(_TRANSACTIONS, since))
        runner.run(connection.close())
    for part in parts:
        del stack.parts[part.name]
        part.stop()
    apply, postgres, rabbitmq = (after - before for after, before in zip(after_cpu, before_cpu, strict=True))
    return Drained(
        progress.events,
        progress.seconds,
        expected,
        transactions,
        apply,
        postgres if server else None,
        rabbitmq if broker else None,
    )


def _used(
    parts: Sequence[Part], server: psutil.Process | None, broker: psutil.Process | None
) -> tuple[float, float, float]:
    """Return the CPU seconds of the processes, of the server and of the broker; 0 of what runs elsewhere."""
    return (
        sum(cpu_seconds(part.process) for part in parts),
        server_cpu_seconds(server) if server else 0.0,
        cpu_seconds(broker) if broker else 0.0,
    )


def _check(parts: Sequence[Part]) -> None:
    for part in parts:
        if part.process.poll() is not None:
            raise ServiceError(f"{part.name} ended ({part.process.returncode}): {log_tail(part.log_file)}")
