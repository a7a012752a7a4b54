"""RabbitMQ ends, runs short of memory or disk, or refuses what would make a queue too long."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from deploy.local.rabbitmq import LocalRabbitMQ
from tests.chaos.fault import Fault
from tests.chaos.world import World

_LASTS_SECONDS = (0.3, 3.0)
_REFUSED = 20
"""Callbacks refused while a fault lasts, before it counts as real."""
_QUEUE_LIMIT = 30
_POLICY = "chaos"


@dataclass
class Away(Fault):
    """The broker ends, in good order or not, and comes back on the same data."""

    name: str
    killed: bool
    quick: bool = False

    async def inject(self, world: World, random: Random) -> None:
        broker = _local(world)
        await asyncio.to_thread(broker.sync_declarations)
        await asyncio.to_thread(broker.kill if self.killed else broker.stop)
        try:
            await _refused(world, random)
        finally:
            await asyncio.to_thread(broker.start)


@dataclass
class Alarm(Fault):
    """A resource alarm: the broker no longer reads from connections that publish, and they stay open."""

    name: str
    resource: str
    raised_by: tuple[str, ...]
    cleared_by: tuple[str, ...]

    async def inject(self, world: World, random: Random) -> None:
        broker = _local(world)
        await asyncio.to_thread(broker.ctl, *self.raised_by)
        try:
            await world.until(lambda: self._is_raised(broker), f"the {self.resource} alarm is on")
            await _refused(world, random)
        finally:
            await asyncio.to_thread(broker.ctl, *self.cleared_by)
        await world.until(lambda: self._is_cleared(broker), f"the {self.resource} alarm is off")

    async def _is_raised(self, broker: LocalRabbitMQ) -> bool:
        alarms = await asyncio.to_thread(broker.ctl, "eval", "rabbit_alarm:get_alarms().")
        return f"{{resource_limit,{self.resource}," in alarms

    async def _is_cleared(self, broker: LocalRabbitMQ) -> bool:
        return not await self._is_raised(broker)


@dataclass
class QueueLimit(Fault):
    """The queues of callbacks have a limit and nobody consumes them: the broker refuses what is beyond it."""

    name: str = "broker_queue_limit"

    async def inject(self, world: World, random: Random) -> None:
        prefix = world.stack.environment["VIBES_PIPELINE_QUEUE_PREFIX"]
        broker = _local(world)
        async with _apply_stopped(world):
            limit = ("--apply-to", "queues", _POLICY, rf"^{prefix}\.apply\.", json.dumps({"max-length": _QUEUE_LIMIT}))
            await asyncio.to_thread(broker.ctl, "set_policy", *limit)
            try:
                await _refused(world, random)
                depths = await asyncio.to_thread(broker.queue_depths)
                full = [name for name, depth in depths.items() if depth >= _QUEUE_LIMIT]
                await world.until(lambda: bool(full), f"a queue is at its limit of {_QUEUE_LIMIT}: {depths}", timeout=0)
            finally:
                await asyncio.to_thread(broker.ctl, "clear_policy", _POLICY)


@asynccontextmanager
async def _apply_stopped(world: World) -> AsyncIterator[None]:
    await world.stop_part("apply")
    try:
        yield
    finally:
        await world.start_part("apply")


async def _refused(world: World, random: Random) -> None:
    """Wait until ingest has refused callbacks, then for a moment more."""
    before = world.calls.answers["503"]
    await world.until(lambda: world.calls.answers["503"] >= before + _REFUSED, "ingest answers 503")
    await world.last(random.uniform(*_LASTS_SECONDS))


def _local(world: World) -> LocalRabbitMQ:
    assert isinstance(world.rabbitmq, LocalRabbitMQ)
    return world.rabbitmq


FAULTS = (
    Away("broker_restart", killed=False, quick=True),
    Away("broker_kill", killed=True),
    Alarm(
        "broker_memory_alarm",
        "memory",
        ("set_vm_memory_high_watermark", "0"),
        ("set_vm_memory_high_watermark", "0.4"),
    ),
    Alarm("broker_disk_alarm", "disk", ("set_disk_free_limit", "1000000GB"), ("set_disk_free_limit", "50MB")),
    QueueLimit(),
)
