"""A process ends or stands still: by a crash, by its orchestrator, by a machine that gives it no time."""

import signal
from dataclasses import dataclass
from random import Random

from tests.chaos.fault import Answers, Fault
from tests.chaos.parts import NAMES
from tests.chaos.world import World

_STANDSTILL_SECONDS = 10.0
_AWAY_SECONDS = (0.1, 2.0)


@dataclass
class Signalled(Fault):
    """A signal to all processes of a part. What it ends is started again a moment later."""

    part: str
    signal: signal.Signals
    quick: bool = False

    def __post_init__(self) -> None:
        self.name = f"{self.part.replace('-', '_')}_{self.signal.name.lower()}"
        self.answers = Answers.MAY_BE_MISSING if self.part == "ingest" else Answers.IN_TIME

    async def inject(self, world: World, random: Random) -> None:
        if self.signal is signal.SIGSTOP:
            world.part(self.part).send(signal.SIGSTOP)
            await world.last(_STANDSTILL_SECONDS)
            world.part(self.part).send(signal.SIGCONT)
            return
        if self.signal is signal.SIGKILL:
            await world.kill_part(self.part)
        else:
            await world.stop_part(self.part)
        await world.last(random.uniform(*_AWAY_SECONDS))
        await world.start_part(self.part)


_QUICK = {("ingest", signal.SIGKILL), ("apply", signal.SIGKILL)}

FAULTS = tuple(
    Signalled(part, number, (part, number) in _QUICK)
    for part in NAMES
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP)
)
