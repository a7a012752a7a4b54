"""One callback on its way, and the order in which many are sent. Pure."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from simulator.events import Event
from simulator.ledger import Entry
from simulator.registrations import Destination


@dataclass(slots=True, eq=False)
class Callback:
    """One delivery of an event to a destination. `attempt` counts from 1.

    `wanted_twice` says that a duplicate will follow. A duplicate of an old-style body may go on counting its attempts
    (`attempts_before`), as if the first one had been retried although it was acknowledged.
    """

    event: Event
    entry: Entry
    destination: Destination
    attempt: int = 1
    attempts_before: int = 0
    wanted_twice: bool = False
    duplicate: bool = False

    def body(self) -> bytes:
        """Return what this attempt sends."""
        return self.event.body_of_attempt(self.attempt + self.attempts_before)


def interleave(rng: random.Random, *parts: tuple[int, Iterable[Event]]) -> Iterator[Event]:
    """All events of all parts, mixed evenly; each part is (its number of events, the events) and keeps its order."""
    left = [count for count, _ in parts]
    sources = [iter(events) for _, events in parts]
    while total := sum(left):
        draw, at = rng.randrange(total), 0
        while draw >= left[at]:
            draw -= left[at]
            at += 1
        left[at] -= 1
        yield next(sources[at])


def choose(rng: random.Random, count: int, ratio: float) -> Iterator[bool]:
    """`count` yes or no, in random order, of which exactly `ratio` (0 to 1, rounded down) are yes."""
    wanted = int(count * ratio)
    for left in range(count, 0, -1):
        chosen = rng.randrange(left) < wanted
        wanted -= chosen
        yield chosen


def shuffle(rng: random.Random, callbacks: Iterable[Callback], window: int) -> Iterator[Callback]:
    """Yield the callbacks out of order, and those wanted twice a second time.

    A callback comes out of a buffer of `window` callbacks by chance, so it overtakes and is overtaken; 1 keeps the
    order. One that is wanted twice goes back into the buffer.
    """
    buffer: list[Callback] = []
    for callback in callbacks:
        buffer.append(callback)
        while len(buffer) >= window:
            yield _draw(rng, buffer)
    while buffer:
        yield _draw(rng, buffer)


def _draw(rng: random.Random, buffer: list[Callback]) -> Callback:
    at = rng.randrange(len(buffer))
    callback = buffer[at]
    if callback.wanted_twice:
        counting_on = callback.event.counts_attempts and rng.random() < 0.5
        buffer[at] = replace(callback, wanted_twice=False, duplicate=True, attempts_before=1 if counting_on else 0)
        return callback
    buffer[at] = buffer[-1]
    buffer.pop()
    return callback
