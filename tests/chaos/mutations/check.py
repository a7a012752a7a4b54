"""Runs faults against each mutation; the oracle has to find what it breaks."""

from dataclasses import dataclass
from random import Random

from tests.chaos.engine import company_key_of, run_fault
from tests.chaos.fault import Fault, Needs
from tests.chaos.faults.combined import ApplyKilledInOutage, BrokerHangsAndDies
from tests.chaos.report import FaultReport
from tests.chaos.world import World


@dataclass(frozen=True)
class Mutation:
    """One safeguard taken out of one part, and the fault under which that shows."""

    name: str
    part: str
    fault: Fault


class Nothing(Fault):
    """No fault: duplicates come in any case."""

    name = "nothing"

    async def inject(self, world: World, _random: Random) -> None:
        await world.acknowledged(int(self.rate))


MUTATIONS = (
    Mutation("no_dedupe", "apply", Nothing()),
    Mutation("ack_before_commit", "apply", ApplyKilledInOutage()),
    Mutation("no_confirms", "ingest", BrokerHangsAndDies()),
)


async def run_mutations(seed: int, *, mutated: bool = True) -> dict[str, FaultReport]:
    """Run each mutation under its fault, once, in one world; return what the oracle says, by the mutation's name.

    Without `mutated` the same faults meet the pipeline as it is.
    """
    reports = {}
    async with World(Needs(), [company_key_of(mutation.fault) for mutation in MUTATIONS], seed) as world:
        for mutation in MUTATIONS:
            if mutated:
                await world.restart_part(mutation.part, f"tests.chaos.mutations.{mutation.name}")
            reports[mutation.name] = await run_fault(world, mutation.fault, seed, 1)
            if mutated:
                await world.restart_part(mutation.part)
    return reports
