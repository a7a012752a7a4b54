"""How the callbacks of a history come: most at once, some late, some twice, none in the future. Pure."""

import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Final, NamedTuple

from simulator.events import Event
from simulator.history.announcing import Told
from simulator.history.spec import HistorySpec

_RETRIES: Final = timedelta(minutes=5)
"""Between two attempts: what the one document of Vibes says that gives a number."""
_MEDIAN_SECONDS: Final = 0.7
_OUTAGES_A_YEAR: Final = 6
_LATEST: Final = timedelta(days=4)
"""Nothing comes later than that after its event."""


class Delivery(NamedTuple):
    """A callback that came: when, about which event, and when that happened. `again`: it was not the first about it."""

    received_at: datetime
    at: datetime
    event: Event
    again: bool

    @property
    def body(self) -> bytes:
        """What was received."""
        return self.event.body_of_attempt(2 if self.again else 1)


def deliver(told: Iterable[Told], spec: HistorySpec, rng: random.Random) -> Iterator[Delivery]:
    """Yield the deliveries of events that are in order of time, in the order they are received.

    Memory is bounded by the events of the few days that a delivery may be late.
    """
    outages = _outages(spec, rng)
    waiting: list[tuple[datetime, int, Delivery]] = []
    serial = 0
    for at, event in told:
        while waiting and waiting[0][0] <= at:
            yield heappop(waiting)[2]
        first = _arrival(at + _delay(rng), at, outages, spec, rng)
        arrivals = [(first, False)]
        if rng.random() < spec.duplicate_ratio:
            arrivals.append((_arrival(first + _until_again(rng), at, outages, spec, rng), True))
        for received_at, again in arrivals:
            serial += 1
            heappush(waiting, (received_at, serial, Delivery(received_at, at, event, again)))
    while waiting:
        yield heappop(waiting)[2]


def _delay(rng: random.Random) -> timedelta:
    """Draw how late a first delivery comes: a second, a few retries, or, hardly ever, hours and days."""
    draw = rng.random()
    seconds = timedelta(seconds=_MEDIAN_SECONDS * rng.lognormvariate(0, 0.7))
    if draw < 0.965:
        return seconds
    if draw < 0.996:
        return seconds + _RETRIES * (1 + int(rng.expovariate(1.2)) % 5)
    return seconds + timedelta(hours=rng.uniform(1, 70))


def _until_again(rng: random.Random) -> timedelta:
    """Draw how long after the first delivery the second one comes: that one's answer was lost."""
    if rng.random() < 0.9:
        return timedelta(seconds=2) + _RETRIES * (1 + int(rng.expovariate(1.5)) % 5)
    return timedelta(hours=rng.uniform(0.5, 24))


def _outages(spec: HistorySpec, rng: random.Random) -> list[tuple[datetime, datetime]]:
    """Draw when the receiver was away, or Vibes held its URL for "downed"."""
    outages = []
    for _ in range(round(_OUTAGES_A_YEAR * spec.days / 365)):
        begin = spec.begin + timedelta(hours=rng.uniform(0, 24 * spec.days))
        outages.append((begin, begin + timedelta(minutes=min(360.0, 5 + rng.expovariate(1 / 45)))))
    return outages


def _arrival(
    wanted: datetime,
    at: datetime,
    outages: list[tuple[datetime, datetime]],
    spec: HistorySpec,
    rng: random.Random,
) -> datetime:
    """Return when a delivery gets through: after an outage, and before the history ends."""
    for begin, end in outages:
        if begin <= wanted < end:
            wanted = end + timedelta(seconds=rng.uniform(1, 1200))
    return max(at, min(wanted, at + _LATEST, spec.until - timedelta(milliseconds=1)))
