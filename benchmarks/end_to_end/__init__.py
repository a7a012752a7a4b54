"""From the request to the row: what the whole pipeline keeps up with on this machine, and how soon a row is there."""

from dataclasses import dataclass
from statistics import median
from typing import Any

import uvloop
from rich.console import Console

from benchmarks import traffic
from benchmarks.effort import Effort
from benchmarks.end_to_end import sustained, visible
from benchmarks.end_to_end.pipelines import COMPANY, OURS_PARTS, Pipeline, faststream, ours
from benchmarks.end_to_end.sustained import Round
from benchmarks.ingest.queues import Queues
from deploy.local.stack import Stack

_MOST_A_SECOND = {"ours": 10_000, "faststream": 4000}
"""Bodies made for each second of a round; a round ends early when they are used up."""
_LOAD = 0.5
"""Of the sustained rate, while delays are measured."""


@dataclass(frozen=True, slots=True)
class Size:
    """How often and how long."""

    warm_up_seconds: float
    rounds: int
    round_seconds: float
    visible_seconds: float


FULL = Size(warm_up_seconds=1.0, rounds=3, round_seconds=5.0, visible_seconds=8.0)
QUICK = Size(warm_up_seconds=0.3, rounds=1, round_seconds=1.5, visible_seconds=1.5)
SMOKE = Size(warm_up_seconds=0.1, rounds=1, round_seconds=0.3, visible_seconds=0.3)
SIZES = {Effort.FULL: FULL, Effort.QUICK: QUICK, Effort.SMOKE: SMOKE}


def run(console: Console, effort: Effort) -> dict[str, Any]:
    """Measure both pipelines in turn, then the delay of ours. Raises ServiceError when an event is lost or double."""
    size = SIZES[effort]
    console.print("end to end: starting both pipelines, an ingest and an apply process each ...")
    with Stack((COMPANY,), parts=OURS_PARTS) as stack, Queues(stack.environment["AMQP_URL"]) as queues:
        pipelines = (faststream(stack), ours(stack))
        done: dict[str, list[Round]] = {pipeline.name: [] for pipeline in pipelines}
        for number in range(size.rounds + 1):
            for pipeline in pipelines:
                rounds = done[pipeline.name]
                rounds.append(_round(pipeline, number, size.round_seconds if number else size.warm_up_seconds))
                console.print(f"end to end: {pipeline.name}, {number or 'warm-up'}: {rounds[-1].rate:.0f} callbacks/s")
        rates = {name: [round(one.rate, 1) for one in rounds[1:]] for name, rounds in done.items()}
        mine = pipelines[-1]
        delays = _delays(mine, median(rates[mine.name]) * _LOAD, size)
        queues.check_not_blocked()
        _finish(pipelines, done, {mine.name: delays.callbacks})
    return {
        **{name: round(median(values), 1) for name, values in rates.items()},
        "visible_p99_s": delays.to_json()["visible_p99_s"],
        **delays.to_json(),
        "backlog": {pipeline.name: pipeline.backlog for pipeline in pipelines},
        "spread": {name: [min(values), max(values)] for name, values in rates.items()},
    }


def _round(pipeline: Pipeline, number: int, seconds: float) -> Round:
    count = int(_MOST_A_SECOND[pipeline.name] * seconds)
    result = uvloop.run(sustained.run(pipeline, traffic.callbacks(count, seed=number), seconds))
    pipeline.check()
    return result


def _delays(pipeline: Pipeline, rate: float, size: Size) -> visible.Delays:
    bodies = traffic.unique(max(1, int(rate * size.visible_seconds)), seed=size.rounds + 1)
    result = uvloop.run(visible.run(pipeline.url, pipeline.database_url, bodies, rate))
    pipeline.check()
    return result


def _finish(pipelines: tuple[Pipeline, ...], done: dict[str, list[Round]], more: dict[str, int]) -> None:
    """Check that nothing was lost or double; `more` are callbacks, of as many events, beside those of the rounds."""
    for pipeline in pipelines:
        extra = more.get(pipeline.name, 0)
        callbacks = sum(one.callbacks for one in done[pipeline.name])
        events = sum(one.events for one in done[pipeline.name])
        pipeline.finish(callbacks + extra, events + extra)
