"""The wall clock of a process is set, forwards or backwards, and set right again."""

from dataclasses import dataclass
from random import Random

from tests.chaos.fault import Fault, Needs
from tests.chaos.faults.crm import tell_changes
from tests.chaos.faults.stepped_clock import ClockFile
from tests.chaos.parts import NAMES
from tests.chaos.world import World

_STEPS_SECONDS = (-86_400.0, -3_600.0, -45.0, -2.0, 2.0, 45.0, 3_600.0, 86_400.0)
_LASTS_SECONDS = (1.0, 3.0)


@dataclass
class Steps(Fault):
    """The clocks of all parts are set wrong, each by a step of its own, and right again."""

    name: str = "clock_steps"

    def needs(self) -> Needs:
        return Needs(modules=dict.fromkeys(NAMES, "tests.chaos.faults.stepped_clock"))

    async def inject(self, world: World, random: Random) -> None:
        clocks = {part: ClockFile(world.stack.directory, part) for part in NAMES}
        for clock in clocks.values():
            clock.step(random.choice(_STEPS_SECONDS))
        try:
            await tell_changes(world, random)
            await world.last(random.uniform(*_LASTS_SECONDS))
            await world.until(lambda: all(clock.readings for clock in clocks.values()), "all parts read the wrong time")
        finally:
            for clock in clocks.values():
                clock.step(0.0)


FAULTS = (Steps(),)
