"""Rounds of a closed loop, and what makes a round count: every answer a 2xx, and every 2xx in the queue."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console

from benchmarks.apply.cpu import cpu_seconds
from benchmarks.ingest.contestants import Contestant
from benchmarks.ingest.queues import Queues
from benchmarks.load.wrk import WrkResult, run_wrk
from deploy.local.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Round:
    """What one contestant did in one round."""

    result: WrkResult
    cpu_us: float
    """Processor time of the contestant's processes a callback, in microseconds."""
    broker_cpu_us: float | None
    """Likewise of RabbitMQ; None when it runs elsewhere, or has nothing to do."""
    callbacks_a_message: float | None
    """On average; None for who queues none."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Where rounds take place."""

    queues: Queues
    bodies_file: Path
    console: Console
    broker: psutil.Process | None
    """None when it runs elsewhere."""

    def rounds(
        self, contestants: Sequence[Contestant], *, connections: int, seconds: int, count: int
    ) -> Mapping[str, list[Round]]:
        """Let the contestants take turns, so that what else the machine does hits all alike.

        Every other time the order is reversed: nobody always follows the same one. Raises ServiceError when a round
        was not clean.
        """
        rounds: dict[str, list[Round]] = {contestant.name: [] for contestant in contestants}
        for number in range(count):
            for contestant in contestants if number % 2 == 0 else reversed(contestants):
                rounds[contestant.name].append(self.round(contestant, connections=connections, seconds=seconds))
            told = ", ".join(f"{name} {done[-1].result.requests_per_second:,.0f}" for name, done in rounds.items())
            self.console.print(f"{connections} connections: {told} callbacks/s", soft_wrap=True)
        return rounds

    def round(self, contestant: Contestant, *, connections: int, seconds: int) -> Round:
        """Run wrk against one contestant and check that the round was clean. Raises ServiceError."""
        self.queues.empty(contestant.queues)
        before, broker_before = contestant.cpu_seconds(), self._broker_seconds()
        result = run_wrk(contestant.url, self.bodies_file, connections=connections, seconds=seconds)
        used, broker_used = contestant.cpu_seconds() - before, self._broker_seconds() - broker_before
        contestant.check()
        self.queues.check_not_blocked()
        _check_answers(contestant, result)
        cpu_us = used / result.requests * 1e6
        if not contestant.queues:
            return Round(result, cpu_us, None, None)
        # A connection has one request under way at most. wrk hangs up on these at its end: they may have been
        # stored, and have been if the contestant had read them, but wrk did not count an answer.
        grouped = check_kept(
            self.queues, contestant, at_least=result.acknowledged, at_most=result.acknowledged + connections
        )
        return Round(result, cpu_us, broker_used / result.requests * 1e6 if self.broker else None, grouped)

    def _broker_seconds(self) -> float:
        return cpu_seconds(self.broker) if self.broker else 0.0


def check_kept(queues: Queues, contestant: Contestant, *, at_least: int, at_most: int) -> float:
    """Empty the contestant's queues and return how many callbacks they held a message.

    Raises ServiceError unless they held `at_least` to `at_most` of them in all.
    """
    messages = queues.wait_until_still(contestant.queues)
    kept = contestant.take(contestant.queues)
    if not at_least <= kept <= at_most:
        raise ServiceError(
            f"{contestant.name} acknowledged {at_least} callbacks, so {at_least} to {at_most} had to be in its queue, "
            f"but there were {kept}: {'some were lost' if kept < at_least else 'some were there twice'}"
        )
    return kept / messages if messages else 0.0


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return the medians of several rounds of one contestant."""
    results = [item.result for item in rounds]
    return {
        "rate": round(median(result.requests_per_second for result in results)),
        "p50_ms": round(median(result.p50_ms for result in results), 2),
        "p99_ms": round(median(result.p99_ms for result in results), 2),
        "p999_ms": round(median(result.p999_ms for result in results), 2),
        "cpu_us": round(median(item.cpu_us for item in rounds), 1),
        "broker_cpu_us": _median(item.broker_cpu_us for item in rounds),
        "callbacks_a_message": _median(item.callbacks_a_message for item in rounds),
    }


def spread(rounds: Sequence[Round]) -> dict[str, int]:
    """Return the slowest and the fastest round's rate."""
    rates = [item.result.requests_per_second for item in rounds]
    return {"lowest": round(min(rates)), "highest": round(max(rates))}


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known), 1) if known else None


def _check_answers(contestant: Contestant, result: WrkResult) -> None:
    wrong = {status: count for status, count in result.statuses.items() if not status.startswith("2")}
    wrong |= {f"{kind} errors": count for kind, count in result.errors.items() if count}
    if wrong or not result.requests:
        raise ServiceError(
            f"{contestant.name} did not answer everything 2xx, which a closed loop expects: {wrong or 'no answers'} "
            f"beside {result.acknowledged} 2xx"
        )
