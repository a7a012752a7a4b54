"""Callbacks from full queues into the database: how fast, next to what is possible, and to other ways."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich.console import Console

from benchmarks.apply.backlog import COMPANY, GROUP, count
from benchmarks.apply.ceiling import BATCH, Ceiling
from benchmarks.apply.drain import Drained
from benchmarks.apply.faststream import AS_DOCUMENTED, ONE_STATEMENT, faststream_rate
from benchmarks.apply.ours import ONE_AT_A_TIME, ours
from benchmarks.effort import Effort
from benchmarks.traffic import callbacks
from deploy.local.stack import Stack

_FASTSTREAM = {
    "faststream_as_documented": (AS_DOCUMENTED,),
    "faststream": (),
    "faststream_one_statement": (ONE_STATEMENT,),
}
_CONTESTANTS = ("ceiling", "per_event", *_FASTSTREAM, "ours")


@dataclass(frozen=True, slots=True)
class Size:
    """How many callbacks, for how many rounds."""

    rounds: int
    ours: int
    per_event: int
    faststream: int
    """Each of the three ways."""
    processes: tuple[int, ...]
    """To scale out to."""


FULL = Size(rounds=3, ours=25_000, per_event=500, faststream=1500, processes=(2, 4))
QUICK = Size(rounds=1, ours=6000, per_event=300, faststream=800, processes=(2,))
SMOKE = Size(rounds=1, ours=4000, per_event=60, faststream=200, processes=())
SIZES = {Effort.FULL: FULL, Effort.QUICK: QUICK, Effort.SMOKE: SMOKE}


def run(console: Console, effort: Effort) -> dict[str, Any]:
    """Measure round by round, so that what disturbs the machine disturbs all alike. Raises ServiceError."""
    size = SIZES[effort]
    bodies = callbacks(size.ours)
    others = callbacks(size.per_event, first=size.ours)
    some = bodies[: size.faststream]
    rates: dict[str, list[float]] = {name: [] for name in _CONTESTANTS}
    drains: list[Drained] = []
    with Stack((COMPANY,), parts=()) as blank:
        console.print(f"apply: recording the statements for {size.ours} callbacks")
        ceiling = Ceiling(blank, bodies, count(bodies))
        for number in range(1, size.rounds + 1):
            console.print(f"apply: round {number} of {size.rounds}")
            rates["ceiling"].append(ceiling.rate())
            for name, options in _FASTSTREAM.items():
                rates[name].append(faststream_rate(blank, some, count(some), *options))
            with ours(blank) as pipeline:
                rates["per_event"].append(pipeline.drain(others, group=1, settings=ONE_AT_A_TIME).rate)
                drains.append(pipeline.drain(bodies))
                rates["ours"].append(drains[-1].rate)
        two_connections = ceiling.rate(connections=2)
        scale_out = {"1": round(median(rates["ours"]))}
        for processes in size.processes:
            console.print(f"apply: {processes} processes")
            with ours(blank) as pipeline:
                scale_out[str(processes)] = round(pipeline.drain(bodies, processes=processes).rate)
    return {
        **{name: round(median(found)) for name, found in rates.items()},
        "scale_out": scale_out,
        "ceiling_two_connections": round(two_connections),
        "cpu_us_per_event": _cpu_cost(drains),
        "spread": {name: _spread(found) for name, found in rates.items()},
        "rounds": size.rounds,
        "callbacks": size.ours,
        "callbacks_a_message": GROUP,
        "callbacks_a_transaction": {
            "ceiling": BATCH,
            "ours": round(median(each.total / each.transactions for each in drains)),
        },
    }


def _cpu_cost(drains: Sequence[Drained]) -> dict[str, float | None]:
    """Return what one event costs the apply process, and the servers; None for one that runs elsewhere."""

    def cost(used: Iterable[float | None]) -> float | None:
        costs = [seconds / each.total for each, seconds in zip(drains, used, strict=True) if seconds is not None]
        return round(median(costs) * 1e6, 1) if costs else None

    return {
        "apply": cost(each.apply_cpu_seconds for each in drains),
        "postgres": cost(each.postgres_cpu_seconds for each in drains),
        "rabbitmq": cost(each.broker_cpu_seconds for each in drains),
    }


def _spread(rates: Sequence[float]) -> dict[str, int]:
    return {"least": round(min(rates)), "most": round(max(rates))}
