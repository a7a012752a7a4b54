"""Callbacks at a rate of their own: how long they wait at a part of what ingest can take."""

from pathlib import Path

from rich.console import Console

from benchmarks import traffic
from benchmarks.ingest.closed_loop import check_kept
from benchmarks.ingest.contestants import Contestant
from benchmarks.ingest.queues import Queues
from benchmarks.load.files import write_bodies
from benchmarks.load.open_loop import OpenLoopResult, run_open_loop
from deploy.local.errors import ServiceError

CONNECTIONS = 256
_TRIES = 3


def run(
    contestant: Contestant,
    queues: Queues,
    directory: Path,
    console: Console,
    *,
    rate: float,
    seconds: float,
    may_be_late: bool = False,
) -> OpenLoopResult:
    """Send callbacks at this rate. Raises ServiceError when the run was not clean.

    A run in which the sender did not keep its schedule says nothing about the contestant and is made again, twice at
    most; unless it `may_be_late`.
    """
    bodies_file = directory / "open-loop.jsonl"
    write_bodies(bodies_file, traffic.callbacks(int(rate * seconds)))
    for _ in range(_TRIES):
        queues.empty(contestant.queues)
        result = run_open_loop(
            contestant.url,
            bodies_file,
            rate=rate,
            seconds=seconds,
            connections=CONNECTIONS,
            output=directory / "open-loop.json",
        )
        contestant.check()
        queues.check_not_blocked()
        _check_answers(contestant, result)
        # A callback that got a 503 for its deadline may be in the queue all the same.
        check_kept(queues, contestant, at_least=result.acknowledged, at_most=result.sent)
        console.print(f"open loop, {rate:,.0f} callbacks/s: p99 {result.p99_ms} ms, {result.answers_503} 503s")
        if result.kept_schedule or may_be_late:
            return result
        console.print(f"the sender was late ({result.late_p99_ms} ms, p99)")
    raise ServiceError(
        f"callbacks could not be sent at {rate:,.0f} a second on time, {_TRIES} times: "
        "the machine has too much else to do; measure when it is quiet"
    )


def _check_answers(contestant: Contestant, result: OpenLoopResult) -> None:
    if result.acknowledged + result.answers_503 < result.due:
        raise ServiceError(
            f"{contestant.name} answered {result.statuses} at {result.rate:,.0f} callbacks/s, broke the connections of "
            f"{result.broken} and left {result.unanswered} without an answer: only 2xx and 503 are expected"
        )
