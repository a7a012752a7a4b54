"""What a server sees between two checkpoints, from what it did right after one and what it did later. Pure.

After a checkpoint PostgreSQL writes each page whole to its log when it is first changed. That costs most at first and
less and less later on, and so does an event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.memory.drain import Drain


@dataclass(frozen=True, slots=True)
class Limits:
    """When PostgreSQL begins the next checkpoint: at what comes first."""

    wal_bytes: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Of an event, at some distance from the checkpoint."""

    seconds: float
    wal_bytes: float
    pages: float
    """Written whole to the log."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From one checkpoint to the next."""

    events: int
    cost: Cost
    """The mean of all events."""


def cost_of(drains: Sequence[Drain]) -> Cost:
    """Return the medians."""
    return Cost(
        seconds=median(1 / each.rate for each in drains),
        wal_bytes=median(each.wal_bytes / each.callbacks for each in drains),
        pages=median(each.pages / each.callbacks for each in drains),
    )


def between_checkpoints(first_events: int, first: Cost, later: Cost, limits: Limits) -> Interval:
    """Return what an interval comes to, when the first events cost `first` and all others `later`.

    The longer after a checkpoint, the less an event costs. Where `later` was measured early in the interval, this is
    therefore more than the truth.
    """
    at_first = _room(limits, 0.0, first)
    if at_first <= first_events:
        return Interval(round(at_first), first)
    at_last = _room(limits, first_events, first, later)
    events = first_events + at_last
    share = first_events / events
    mean = Cost(
        *(
            share * of_first + (1 - share) * of_later
            for of_first, of_later in (
                (first.seconds, later.seconds),
                (first.wal_bytes, later.wal_bytes),
                (first.pages, later.pages),
            )
        )
    )
    return Interval(round(events), mean)


def _room(limits: Limits, before: float, of_before: Cost, cost: Cost | None = None) -> float:
    """Return how many events go into what `before` events have left of the limits."""
    cost = cost or of_before
    return min(
        (limits.wal_bytes - before * of_before.wal_bytes) / cost.wal_bytes,
        (limits.seconds - before * of_before.seconds) / cost.seconds,
    )
