"""How fast a queue empties, seen from the database."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.local.errors import ServiceError

_PATIENCE_SECONDS = 60.0
"""Without any progress."""
_LOOK_SECONDS = (0.01, 0.2)
"""The shortest and the longest pause between two looks: looking costs the database something too."""


@dataclass(frozen=True, slots=True)
class Progress:
    """From the first sign of progress to the end."""

    events: int
    """Those that were dealt with before the first sign are not counted, nor is the time."""
    seconds: float


def follow(count: Callable[[], int], expected: int, check: Callable[[], None]) -> Progress:
    """Look how much is dealt with until all of it is; more often towards the end, so that the end is not missed.

    `check` raises when there is no hope. Raises ServiceError when nothing goes on any more, when there is more than
    expected, or when all was done at the first look.
    """
    started = changed = time.monotonic()
    seen = first = count()
    while seen < expected:
        rate = (seen - first) / (changed - started) if seen > first else 0.0
        pause = (expected - seen) / rate / 2 if rate else 0.0
        time.sleep(min(max(pause, _LOOK_SECONDS[0]), _LOOK_SECONDS[1]))
        check()
        before, seen, now = seen, count(), time.monotonic()
        if not before:
            started, first = now, seen
        if seen > before:
            changed = now
        elif now - changed > _PATIENCE_SECONDS:
            raise ServiceError(f"nothing happens any more: {seen} of {expected} are dealt with; see the logs")
    if seen > expected:
        raise ServiceError(f"{seen} were dealt with, but only {expected} were queued: was the queue empty before?")
    if seen == first:
        raise ServiceError(f"{expected} were dealt with at once: too few to tell how fast")
    return Progress(expected - first, changed - started)
