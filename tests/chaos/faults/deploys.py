"""What is done on purpose: a new release of every process, and of the schema, while callbacks come in."""

import asyncio
from random import Random

from tests.chaos.fault import Answers, Fault, Needs
from tests.chaos.migrating import apply_some, missing, names
from tests.chaos.parts import NAMES
from tests.chaos.world import World

_MIGRATIONS = 3
"""How many of the newest are applied under load, one at each injection."""


class RollingRestart(Fault):
    """Every process is replaced: the new one starts, then the old one is told to drain."""

    name = "deploy_rolling_restart"
    answers = Answers.ALL_ACCEPTED

    def needs(self) -> Needs:
        return Needs(processes={"ingest": 2, "apply": 2, "person-sync": 2})

    async def inject(self, world: World, random: Random) -> None:
        for name in random.sample(NAMES, len(NAMES)):
            await world.replace_part(name)
            await world.acknowledged(int(self.rate / 3))


class Migration(Fault):
    """The database gets this release's schema, a migration at a time, while this release's processes run.

    Where they need what is missing they wait for it.
    """

    name = "deploy_migration"
    injections = _MIGRATIONS

    def needs(self) -> Needs:
        return Needs(migrations=_MIGRATIONS)

    async def inject(self, world: World, _random: Random) -> None:
        if (left := await missing(world.database_url)) > 1:
            await apply_some(world.database_url, len(names()) - left + 1)
        else:
            await asyncio.to_thread(world.stack.command, "migrate")


FAULTS = (RollingRestart(), Migration())
