"""The Person API refuses, fails, hangs, breaks off in the middle of a body, or answers what is no JSON."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from simulator.config import FaultSettings
from tests.chaos.fault import Fault, Needs
from tests.chaos.faults.crm import tell_changes
from tests.chaos.faults.network import LINKED
from tests.chaos.world import World

_LASTS_SECONDS = (2.0, 5.0)
_CALM_SECONDS = 150.0
"""The longest until calls pass again after a fault: an open circuit tries one now and then, at growing intervals."""
_HIT = 10
"""Calls that go wrong while a fault lasts, before it counts as real. The circuit opens after as many in a row."""


@dataclass
class Misbehaviour(Fault):
    """The Person API misbehaves for a while, by the simulator's settings; `outcomes` are how it counts such calls."""

    name: str
    settings: Mapping[str, Any]
    outcomes: tuple[str, ...]
    quick: bool = False

    def needs(self) -> Needs:
        return LINKED

    async def inject(self, world: World, random: Random) -> None:
        faults = world.simulator.faults
        await self._calm(world, random)
        before = self._count(world, self.outcomes)
        faults.settings = replace(FaultSettings(), **self.settings)
        try:
            await tell_changes(world, random)
            await world.last(random.uniform(*_LASTS_SECONDS))
            await world.until(
                lambda: self._count(world, self.outcomes) >= before + _HIT, f"{_HIT} calls go wrong: {self.outcomes}"
            )
        finally:
            faults.settings = FaultSettings()

    async def _calm(self, world: World, random: Random) -> None:
        """Wait until calls pass: the injection before may have opened the circuit, and then hardly any are made."""
        before = self._count(world, ("200", "201"))
        await tell_changes(world, random)
        await world.until(
            lambda: self._count(world, ("200", "201")) > before, "the Person API is called, and answers", _CALM_SECONDS
        )

    def _count(self, world: World, outcomes: tuple[str, ...]) -> int:
        counted: Counter[str] = Counter()
        for (company_key, _method, _route, outcome), count in world.simulator.calls.items():
            if company_key == world.company_key:
                counted[outcome] += count
        return sum(counted[outcome] for outcome in outcomes)


FAULTS = (
    # Some calls pass, so that the circuit stays closed and it is the rate that has to give way.
    Misbehaviour("person_api_429_storm", {"too_many_requests_rate": 0.8}, ("429",)),
    Misbehaviour("person_api_5xx", {"error_rate": 1.0}, ("500", "503")),
    Misbehaviour("person_api_hang", {"hang_rate": 0.5, "hang_seconds": 4.0}, ("hang",)),
    Misbehaviour("person_api_reset_in_body", {"reset_rate": 0.7}, ("reset",)),
    Misbehaviour("person_api_wrong_json", {"wrong_body_rate": 0.7}, ("wrong body",)),
)
