"""Whether the pipeline gets slower as the database, or the backlog in the broker, grows."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any

from rich.console import Console

from benchmarks.effort import Effort
from benchmarks.growth.history import COMPANY, make_history
from benchmarks.growth.rounds import Grown, Round, Size, take_turns
from benchmarks.growth.space import require_space
from benchmarks.memory import backlog
from benchmarks.memory.temporary import temporary
from deploy.local.stack import Stack

HISTORIES = {"at_0": 0, "at_1m": 1_000_000, "at_10m": 10_000_000}
"""Events that are there before, by the name of the figure."""
QUICK_HISTORIES = {"at_0": 0, "at_1m": 5_000, "at_10m": 20_000}
"""So few that they tell nothing but that it works."""
# The history ends with a checkpoint, after which PostgreSQL logs each page whole when it is first written to: so much
# the more, the more pages there are. In operation that happens every quarter of an hour; the warm-up has a part of it.
FULL = Size(warm_up=40_000, callbacks=15_000, rounds=3, claims=40)
QUICK = Size(warm_up=0, callbacks=3_000, rounds=1, claims=3)
SMOKE_HISTORIES = {"at_0": 0, "at_1m": 500, "at_10m": 2_000}
SMOKE = Size(warm_up=0, callbacks=1_000, rounds=1, claims=1)
SIZES = {
    Effort.FULL: (HISTORIES, FULL),
    Effort.QUICK: (QUICK_HISTORIES, QUICK),
    Effort.SMOKE: (SMOKE_HISTORIES, SMOKE),
}


def run(console: Console, effort: Effort) -> dict[str, Any]:
    """Measure both; the backlog only if `memory` has not yet. Raises ServiceError."""
    figures = measure(console, *SIZES[effort])
    return {**figures, "backlog": _backlog(backlog.measure(console, backlog.SIZES[effort]))}


def measure(console: Console, histories: Mapping[str, int], size: Size) -> dict[str, Any]:
    """Measure databases with so many events, which are dropped in the end. Raises ServiceError."""
    with ExitStack() as entered:
        databases = {name: _enter(entered, events) for name, events in histories.items()}
        require_space(databases["at_0"].stack.database_url, sum(histories.values()))
        began = time.monotonic()
        for grown in databases.values():
            if grown.events:
                console.print(f"making the rows of {grown.events:,} events ...")
                asyncio.run(make_history(grown.stack.database_url, grown.events))
        load_seconds = time.monotonic() - began
        table_bytes = _bytes_an_event(databases)
        rounds = take_turns(databases, size, console)
        persons = {name: grown.persons() for name, grown in databases.items()}
    rates = {name: _medians(done) for name, done in rounds.items()}
    return {
        **{name: told["rate"] for name, told in rates.items()},
        "ratio": {name: round(told["rate"] / rates["at_0"]["rate"], 3) for name, told in rates.items()},
        "claim_us": {name: told["claim_us"] for name, told in rates.items()},
        "wal_bytes": {name: told["wal_bytes"] for name, told in rates.items()},
        "table_bytes": table_bytes,
        "rounds": {name: [round(item.drain.rate) for item in done] for name, done in rounds.items()},
        "events": dict(histories),
        "known_persons": {name: round(known / (known + new), 2) for name, (known, new) in persons.items()},
        "load_seconds": round(load_seconds, 1),
    }


def _enter(entered: ExitStack, events: int) -> Grown:
    stack = Stack((COMPANY,), parts=())
    return Grown(stack, entered.enter_context(temporary(stack)), events)


def _bytes_an_event(databases: Mapping[str, Grown]) -> dict[str, int]:
    """Return how much of the disk an event of each history takes, with the rows and indexes that belong to it."""
    empty = databases["at_0"].bytes()
    return {name: round((grown.bytes() - empty) / grown.events) for name, grown in databases.items() if grown.events}


def _medians(rounds: Sequence[Round]) -> dict[str, float]:
    """Return events a second, and microseconds a claimed key and bytes of PostgreSQL's log an event."""
    return {
        "rate": round(median(item.drain.rate for item in rounds)),
        "claim_us": round(median(item.claim_us for item in rounds), 2),
        "wal_bytes": round(median(item.drain.wal_bytes / item.drain.events for item in rounds)),
    }


def _backlog(measured: backlog.Backlog) -> dict[str, Any]:
    return {
        "callbacks": measured.callbacks,
        "ingest": {"without": round(measured.ingest_without), "with": round(measured.ingest_with)},
        "drain": round(measured.drain.rate),
    }
