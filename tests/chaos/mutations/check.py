"""Runs faults against each mutation; the oracle has to find what it breaks."""

from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from tests.chaos.engine import company_key_of, run_fault
from tests.chaos.fault import Fault, Needs
from tests.chaos.faults.combined import ApplyKilledInOutage, BrokerHangsAndDies
from tests.chaos.world import World


@dataclass(frozen=True)
class Mutation:
    """One safeguard taken out of one part, and the fault under which that shows."""

    name: str
    part: str
    fault: Fault
    found_as: Literal["lost", "double"]
    """What the oracle has to report."""


class Nothing(Fault):
    """No fault: duplicates come in any case."""

    name = "nothing"

    async def inject(self, world: World, _random: Random) -> None:
        await world.acknowledged(int(self.rate))


MUTATIONS = (
    Mutation("no_dedupe", "apply", Nothing(), "double"),
    Mutation("ack_before_commit", "apply", ApplyKilledInOutage(), "lost"),
    Mutation("no_confirms", "ingest", BrokerHangsAndDies(), "lost"),
)


async def run_mutations(seed: int) -> dict[str, dict[str, Any]]:
    """Run each mutation under its fault, once, in one world; return what the oracle says, by the mutation's name."""
    found = {}
    async with World(Needs(), [company_key_of(mutation.fault) for mutation in MUTATIONS], seed) as world:
        for mutation in MUTATIONS:
            await world.restart_part(mutation.part, f"tests.chaos.mutations.{mutation.name}")
            report = await run_fault(world, mutation.fault, seed, 1)
            await world.restart_part(mutation.part)
            found[mutation.name] = {
                "acknowledged": report.acknowledged,
                "lost": report.lost,
                "double": report.double,
                "found": getattr(report, mutation.found_as) > 0,
            }
    return found
