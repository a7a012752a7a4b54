"""Two things at once, chosen so that what is held in memory at that moment would be lost if it counted as done."""

import asyncio
import os
import signal
from random import Random

from deploy.local.rabbitmq import LocalRabbitMQ
from tests.chaos.fault import Fault
from tests.chaos.world import World

_HANG_SECONDS = 1.0


class ApplyKilledInOutage(Fault):
    """PostgreSQL goes away, so apply holds batches it cannot commit; then apply is killed."""

    name = "apply_killed_in_outage"

    async def inject(self, world: World, random: Random) -> None:
        await asyncio.to_thread(world.postgres.stop, "immediate")
        await world.acknowledged(int(self.rate * random.uniform(0.5, 1.0)))
        await world.kill_part("apply")
        await asyncio.to_thread(world.postgres.start)
        await world.start_part("apply")


class BrokerHangsAndDies(Fault):
    """RabbitMQ stands still, so what is published lies in its socket; then it is killed."""

    name = "broker_hangs_and_dies"

    async def inject(self, world: World, _random: Random) -> None:
        broker = world.rabbitmq
        assert isinstance(broker, LocalRabbitMQ)
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        await world.last(_HANG_SECONDS)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)


FAULTS = (ApplyKilledInOutage(), BrokerHangsAndDies())
