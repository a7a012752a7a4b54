"""How many callbacks a second ingest takes, beside what one would write instead, and how long each waits."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import traffic
from benchmarks.apply.cpu import broker_of
from benchmarks.effort import Effort
from benchmarks.ingest import contestants, open_loop
from benchmarks.ingest.closed_loop import Ring, Round, spread, summary
from benchmarks.ingest.contestants import COMPANY, OURS, Field
from benchmarks.ingest.queues import Queues
from benchmarks.load.files import write_bodies
from benchmarks.load.open_loop import OpenLoopResult
from deploy.local.stack import Stack

CONNECTIONS = 64
"""Those of the headline figures."""
_BODIES = 10_000
_SHARES = (50, 80)
"""Percent of ours' maximum."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. Seconds are those of one round; wrk takes whole ones."""

    seconds: int
    rounds: int
    scaled_rounds: int
    warm_up: bool
    other_connections: tuple[int, ...]
    """One round of a second each."""
    open_seconds: float
    may_be_late: bool = False
    """Whether latencies count although the sender did not keep its schedule."""


FULL = Size(seconds=2, rounds=5, scaled_rounds=2, warm_up=True, other_connections=(1, 16, 256), open_seconds=5.0)
QUICK = Size(seconds=1, rounds=1, scaled_rounds=1, warm_up=False, other_connections=(), open_seconds=0.5)
SMOKE = replace(QUICK, open_seconds=0.2, may_be_late=True)
SIZES = {Effort.FULL: FULL, Effort.QUICK: QUICK, Effort.SMOKE: SMOKE}


def run(console: Console, effort: Effort) -> dict[str, Any]:
    """Run everything on one broker, whose queues are checked and emptied after each round. Raises ServiceError."""
    size = SIZES[effort]
    console.print("starting ingest, ingest with two processes, and its rivals ...")
    with Stack((COMPANY,), parts=()) as stack, Queues(stack.environment["AMQP_URL"]) as queues:
        field = contestants.start(stack, queues)
        bodies_file = stack.directory / "bodies.jsonl"
        write_bodies(bodies_file, traffic.callbacks(_BODIES))
        ring = Ring(queues, bodies_file, console, broker_of(stack.environment["AMQP_URL"]))
        if size.warm_up:
            ring.rounds(field.everybody, connections=CONNECTIONS, seconds=1, count=1)
        headline = ring.rounds(field.single, connections=CONNECTIONS, seconds=size.seconds, count=size.rounds)
        scaled = ring.rounds((field.scaled,), connections=CONNECTIONS, seconds=size.seconds, count=size.scaled_rounds)
        by_connections = {CONNECTIONS: headline} | {
            connections: ring.rounds(field.single, connections=connections, seconds=1, count=1)
            for connections in size.other_connections
        }
        medians = {contestant.name: summary(headline[contestant.name]) for contestant in field.single}
        figures = {
            **{name: each["rate"] for name, each in medians.items()},
            "p99_ms": {name: each["p99_ms"] for name, each in medians.items()},
            "cpu_us": {name: each["cpu_us"] for name, each in medians.items()},
            "broker_cpu_us": {name: each["broker_cpu_us"] for name, each in medians.items()},
            **_open_loops(queues, field, stack.directory, console, medians[OURS]["rate"], size),
            "scale_out": _scale_out(field, {**headline, **scaled}),
            "connections": {
                str(connections): {contestant.name: summary(rounds[contestant.name]) for contestant in field.single}
                for connections, rounds in sorted(by_connections.items())
            },
            "spread": {name: spread(rounds) for name, rounds in {**headline, **scaled}.items()},
        }
        # The next benchmark uses the same broker.
        queues.delete(name for rival in field.single[:-1] for name in rival.queues)
        return figures


def _open_loops(
    queues: Queues, field: Field, directory: Path, console: Console, maximum: float, size: Size
) -> dict[str, Any]:
    loads = {
        str(share): open_loop.run(
            field.ours,
            queues,
            directory,
            console,
            rate=maximum * share / 100,
            seconds=size.open_seconds,
            may_be_late=size.may_be_late,
        )
        for share in _SHARES
    }
    return {
        "answers_503": sum(load.answers_503 for load in loads.values()),
        "open_loop": {share: _figures(load) for share, load in loads.items()},
    }


def _figures(load: OpenLoopResult) -> dict[str, Any]:
    return asdict(load) | {"answers_503": load.answers_503}


def _scale_out(field: Field, rounds: Mapping[str, list[Round]]) -> dict[str, Any]:
    """Return the figures of ours by number of processes; `rss_mib` counts the one that watches over several too."""
    by_number = {"1": field.ours, "2": field.scaled}
    medians = {number: summary(rounds[contestant.name]) for number, contestant in by_number.items()}
    return {
        **{number: figures["rate"] for number, figures in medians.items()},
        "p99_ms": {number: figures["p99_ms"] for number, figures in medians.items()},
        "cpu_us": {number: figures["cpu_us"] for number, figures in medians.items()},
        "broker_cpu_us": {number: figures["broker_cpu_us"] for number, figures in medians.items()},
        "rss_mib": {number: contestant.resident_mib() for number, contestant in by_number.items()},
    }
