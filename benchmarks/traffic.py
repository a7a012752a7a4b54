"""Realistic callbacks, many and fast: the traffic of every benchmark.

Four in five are subscriptions, one in ten is about a person, the rest is mixed; some repeat an earlier one.
"""

import random
from functools import cache
from itertools import accumulate

from benchmarks import bodies
from benchmarks.bodies import head_of, moment, scattered

PERSONS = 200_000
SKEW = 0.9
"""Exponent of Zipf's law: one event in 25 is about the same person, and persons nobody has heard of keep coming."""

_LISTS = [str(number) for number in range(1200, 1212)]
_REMOVED = 0.4
"""Of the subscription events of a person who is subscribed, so many end the stay."""
_OLD_EDITION = 0.1
"""So many bodies are of the editions up to 2021: they count a `delivery_attempt`, up with every delivery."""
_NEARBY = 400
"""A repeat comes at most so many callbacks after its original, and mostly soon."""


def callbacks(count: int, *, seed: int = 1, first: int = 0, duplicates: float = 0.1) -> list[bytes]:
    """Return the bodies of `count` callbacks in order of delivery; equal arguments give equal bodies.

    `first` is the number of the first event; Vibes' clock goes on with the numbers. Another `seed` or `first` gives
    other events, about the same persons. `duplicates` (0 to 1) is the share of callbacks that repeat a recent one:
    verbatim, or as a later attempt where the body counts them.
    """
    rng = random.Random(f"{seed}/{first}")
    traffic = _Traffic(rng, f"{seed}/{first}")
    made: list[bytes] = []
    for number, person in enumerate(rng.choices(range(PERSONS), cum_weights=_weights(), k=count), start=first):
        if made and rng.random() < duplicates:
            original = made[-1 - int(rng.random() ** 2 * min(len(made), _NEARBY))]
            made.append(original.replace(b'"delivery_attempt":"1"', b'"delivery_attempt":"2"'))
        else:
            made.append(traffic.next(number, person).encode())
    return made


def unique(count: int, *, seed: int = 1, first: int = 0) -> list[bytes]:
    """Return the bodies of `count` callbacks of as many events."""
    return callbacks(count, seed=seed, first=first, duplicates=0.0)


@cache
def _weights() -> list[float]:
    """Return how often each person is met, the busiest first, summed up."""
    return list(accumulate(rank**-SKEW for rank in range(1, PERSONS + 1)))


class _Traffic:
    """One event after the other; remembers who is subscribed to what."""

    def __init__(self, rng: random.Random, name: str) -> None:
        self._rng = rng
        self._name = name
        self._stays: dict[int, bodies.Stay] = {}

    def next(self, number: int, person: int) -> str:
        """Return the body of an event; it is about that person, if its type is about persons."""
        kind = self._rng.random()
        if kind < 0.8:
            return self._subscription(number, person)
        if kind < 0.9:
            added = "person_added" if number % 4 == 0 else "person_updated"
            return bodies.person_state(self._head(added, number), number, person)
        if kind < 0.95:
            return self._participant(number, person)
        if kind < 0.97:
            return bodies.event_processed(self._head("event_processed", number, "callback_type"), number, person)
        if kind < 0.98:
            return bodies.device_added(self._head("device_added", number), person)
        if kind < 0.99:
            return bodies.unmatched_message(self._head("unmatched_message_received", number), number, person)
        return bodies.wallet_item_install(self._head("wallet_item_install", number, "event_type"), number, person)

    def _subscription(self, number: int, person: int) -> str:
        stay = self._stays.pop(person, None)
        if stay is not None and self._rng.random() < _REMOVED:
            return bodies.subscription(self._head("subscription_removed", number), person, stay, number)
        stay = self._stays[person] = (_LISTS[number % len(_LISTS)], moment(number))
        return bodies.subscription(self._head("subscription_added", number), person, stay)

    def _participant(self, number: int, person: int) -> str:
        if number % 2:
            status = "REJECTED" if number % 8 == 1 else "CONFIRMED"
            return bodies.participant(self._head("ack_participant_changed", number), number, person, status)
        return bodies.participant(self._head("ack_participant_added", number), number, person, "PENDING")

    def _head(self, kind: str, number: int, *names: str) -> str:
        head = head_of(scattered(f"{self._name}/{number}"), kind, number, names or ("callback_type", "event_type"))
        return f'{head},"delivery_attempt":"1"' if self._rng.random() < _OLD_EDITION else head
