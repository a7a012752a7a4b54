"""A backlog in the broker: what it costs ingest, how fast it empties, and what memory all this takes.

One run serves two benchmarks: what is slow to build up is built up once.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import sleep

from rich.console import Console

from benchmarks import traffic
from benchmarks.effort import Effort
from benchmarks.ingest.queues import Queues
from benchmarks.load.files import write_bodies
from benchmarks.load.wrk import run_wrk
from benchmarks.memory.clean import require_accounted, require_acknowledged, require_running
from benchmarks.memory.drain import Drain, dealt_with, drain
from benchmarks.memory.sampling import Sampler
from benchmarks.memory.temporary import temporary, topology_of
from benchmarks.queued import fill
from deploy.local.stack import PARTS, Stack

COMPANY = "bench"
PROCESSES = ("ingest", "apply", "person-sync")
"""Whose memory is looked at."""
_CONNECTIONS = 64
_FIRST_OF_BACKLOG = 1_000_000
"""Number of its first event, so that none is the same as one that came by HTTP."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much, and how long."""

    backlog: int
    """Callbacks in the broker."""
    idle_seconds: float
    load_seconds: int
    """Of each of the three times that ingest gets all it can take."""
    bodies: int
    """So many come by HTTP each time before the first comes again."""


FULL = Size(backlog=500_000, idle_seconds=2.0, load_seconds=3, bodies=40_000)
QUICK = Size(backlog=5_000, idle_seconds=0.5, load_seconds=1, bodies=5_000)
SMOKE = Size(backlog=1_000, idle_seconds=0.2, load_seconds=1, bodies=1_000)
SIZES = {Effort.FULL: FULL, Effort.QUICK: QUICK, Effort.SMOKE: SMOKE}


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was measured. Rates are callbacks a second."""

    callbacks: int
    """That waited when the drain began."""
    ingest_without: float
    """With next to nothing in the queue, and nobody who takes from it."""
    ingest_with: float
    drain: Drain
    """By one apply process, while the person worker reads new persons from the simulator as fast as Vibes allows."""
    memory: Sampler
    """Phases: `idle`; `full`, with ingest under full load and the others at work; `drain`."""


@cache
def measure(console: Console, size: Size) -> Backlog:
    """Measure once; later calls get the same figures. Raises ServiceError when the run was not clean."""
    console.print("starting the simulator, ingest, apply and a person worker ...")
    stack = Stack((COMPANY,), parts=PARTS)
    with temporary(stack) as queues:
        return _Run(stack, queues, console, size).measure()


class _Run:
    def __init__(self, stack: Stack, queues: Queues, console: Console, size: Size) -> None:
        self._stack = stack
        self._queues = queues
        self._console = console
        self._size = size
        self._since = datetime.now(UTC)
        self._acknowledged = 0
        self._sampler = Sampler()

    def measure(self) -> Backlog:
        for name in PROCESSES:
            self._sampler.watch(name, self._stack.parts[name].process)
        with self._sampler.phase("idle"):
            sleep(self._size.idle_seconds)
        with self._sampler.phase("full"):
            self._load(1)
            self._stack.parts["apply"].stop()
            del self._stack.parts["apply"]
            without = self._load(2)
        self._fill_up()
        with self._sampler.phase("full"):
            with_backlog = self._load(3)
        waiting = self._waiting()
        self._console.print(f"draining {waiting:,} callbacks")
        with self._sampler.phase("drain"):
            drained = drain(
                self._stack,
                self._acknowledged,
                self._since,
                self._check,
                lambda part: self._sampler.watch(part.name, part.process),
            )
        self._check()
        self._stack.parts["ingest"].stop()  # its last report says how many callbacks it has acknowledged
        del self._stack.parts["ingest"]
        require_accounted(self._stack, self._acknowledged)
        return Backlog(waiting, without, with_backlog, drained, self._sampler)

    def _load(self, number: int) -> float:
        """Give ingest all it can take for some seconds; return how much that is."""
        bodies = self._bodies_file(number)
        url = self._stack.callback_url(COMPANY)
        result = run_wrk(url, bodies, connections=_CONNECTIONS, seconds=self._size.load_seconds)
        self._check()
        require_acknowledged(result)
        self._acknowledged += result.acknowledged
        return result.requests_per_second

    def _bodies_file(self, number: int) -> Path:
        path = self._stack.directory / f"bodies-{number}.jsonl"
        write_bodies(path, traffic.callbacks(self._size.bodies, first=number * self._size.bodies))
        return path

    def _fill_up(self) -> None:
        missing = self._size.backlog - self._waiting()
        if missing > 0:
            self._console.print(f"queueing {missing:,} callbacks")
            bodies = traffic.callbacks(missing, first=_FIRST_OF_BACKLOG)
            amqp_url = self._stack.environment["AMQP_URL"]
            self._acknowledged += asyncio.run(fill(amqp_url, topology_of(self._stack), COMPANY, bodies))

    def _waiting(self) -> int:
        return self._acknowledged - dealt_with(self._stack.database_url, self._since)

    def _check(self) -> None:
        require_running(self._stack)
        self._queues.check_not_blocked()
