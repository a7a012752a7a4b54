"""Whether the pipeline gets slower as the database, or the backlog in the broker, grows."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any

from rich.console import Console

from benchmarks.effort import Effort
from benchmarks.growth.history import CHANGED, COMPANY, INDEXED, make_history
from benchmarks.growth.interval import Cost, Limits, between_checkpoints, cost_of
from benchmarks.growth.log import limits
from benchmarks.growth.rounds import Grown, Measured, Size, take_turns
from benchmarks.growth.space import require_space
from benchmarks.growth.warm import warm
from benchmarks.memory import backlog
from benchmarks.memory.drain import Drain
from benchmarks.memory.temporary import temporary
from deploy.local.stack import Stack

HISTORIES = {"at_0": 0, "at_1m": 1_000_000, "at_10m": 10_000_000}
"""Events that are there before, by the name of the figure."""
QUICK_HISTORIES = {"at_0": 0, "at_1m": 5_000, "at_10m": 20_000}
"""So few that they tell nothing but that it works."""
FULL = Size(first=40_000, callbacks=20_000, rounds=4, claims=30)
QUICK = Size(first=3_000, callbacks=3_000, rounds=1, claims=3)
SMOKE_HISTORIES = {"at_0": 0, "at_1m": 500, "at_10m": 2_000}
SMOKE = Size(first=1_000, callbacks=1_000, rounds=1, claims=1)
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
        blank = Stack((COMPANY,), parts=())
        entered.enter_context(temporary(blank))
        databases = {name: _enter(entered, blank, events) for name, events in histories.items()}
        require_space(databases["at_0"].stack.database_url, list(histories.values()))
        began = time.monotonic()
        for grown in databases.values():
            if grown.events:
                console.print(f"making the rows of {grown.events:,} events ...")
                asyncio.run(make_history(grown.stack.database_url, grown.events))
        load_seconds = time.monotonic() - began
        table_bytes = _bytes_an_event(databases)
        loaded = {
            name: asyncio.run(warm(grown.stack.database_url, INDEXED, CHANGED)) for name, grown in databases.items()
        }
        measured = take_turns(databases, size, console)
        until = asyncio.run(limits(databases["at_0"].stack.database_url))
        persons = {name: grown.persons() for name, grown in databases.items()}
    intervals = {name: _interval(done, until) for name, done in measured.items()}
    rates = {name: each["rate"] for name, each in intervals.items()}
    return {
        **rates,
        "ratio": {name: round(rate / rates["at_0"], 3) for name, rate in rates.items()},
        "claim_us": {name: round(median(done.claim_us), 2) for name, done in measured.items()},
        "wal_bytes": {name: each["wal_bytes"] for name, each in intervals.items()},
        "intervals": intervals,
        "table_bytes": table_bytes,
        "rounds": {name: [round(item.rate) for item in done.rounds] for name, done in measured.items()},
        "events": dict(histories),
        "loaded_bytes": loaded,
        "known_persons": {name: round(known / (known + new), 2) for name, (known, new) in persons.items()},
        "load_seconds": round(load_seconds, 1),
    }


def _enter(entered: ExitStack, blank: Stack, events: int) -> Grown:
    stack = Stack((COMPANY,), parts=(), like=blank)
    return Grown(stack, entered.enter_context(temporary(stack)), events)


def _bytes_an_event(databases: Mapping[str, Grown]) -> dict[str, int]:
    """Return how much of the disk an event of each history takes, with the rows and indexes that belong to it."""
    empty = databases["at_0"].bytes()
    return {name: round((grown.bytes() - empty) / grown.events) for name, grown in databases.items() if grown.events}


def _interval(measured: Measured, until: Limits) -> dict[str, Any]:
    """Return what a database does between two checkpoints, and what it did in the two parts that were measured."""
    drains = [measured.first, *measured.rounds]
    first, later = cost_of(drains[:1]), cost_of(drains[1:])
    interval = between_checkpoints(measured.first.callbacks, first, later, until)
    page_bytes = [_each(amount, of) for amount, of in zip(measured.page_bytes, drains, strict=True)]
    return {
        "events": interval.events,
        **_rounded(interval.cost),
        "first": {"events": measured.first.callbacks, **_rounded(first), "page_bytes": _median(page_bytes[:1])},
        "later": {**_rounded(later), "page_bytes": _median(page_bytes[1:])},
    }


def _rounded(cost: Cost) -> dict[str, float]:
    """Return events a second, and what of PostgreSQL's log belongs to one: bytes, and whole pages."""
    return {"rate": round(1 / cost.seconds), "wal_bytes": round(cost.wal_bytes), "pages": round(cost.pages, 3)}


def _each(amount: int | None, drained: Drain) -> float | None:
    return None if amount is None else amount / drained.callbacks


def _median(amounts: Sequence[float | None]) -> int | None:
    """Return the median of those that are known; None when none is."""
    known = [amount for amount in amounts if amount is not None]
    return round(median(known)) if known else None


def _backlog(measured: backlog.Backlog) -> dict[str, Any]:
    return {
        "callbacks": measured.callbacks,
        "ingest": {"without": round(measured.ingest_without), "with": round(measured.ingest_with)},
        "drain": round(measured.drain.rate),
    }
