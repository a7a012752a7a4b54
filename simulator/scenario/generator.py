"""Chooses the operations of a story, so that its events come in realistic proportions and in an exact number."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from simulator.events import Event
from simulator.scenario import others, people, subscriptions
from simulator.scenario.stage import Stage

Operation = Callable[[Stage, int], list[Event]]

_SHARES: Final = {"subscription": 0.80, "person": 0.10, "other": 0.10}
_OPERATIONS: Final[Mapping[str, Mapping[Operation, int]]] = {
    "subscription": {subscriptions.toggle: 98, subscriptions.disconnect: 2},
    "person": {people.change: 80, people.join: 20},
    "other": {
        others.start_participation: 14,
        others.answer_participation: 12,
        others.attach_device: 10,
        others.update_device: 5,
        others.remove_device: 4,
        others.move_device: 3,
        others.open_list: 1,
        others.rename_list: 3,
        others.unmatched_message: 18,
        others.install_pass: 8,
        others.remove_pass: 6,
        others.process_event: 16,
    },
}
_OPENING: Final = (
    others.open_list,
    subscriptions.toggle,
    people.join,
    people.change,
    others.start_participation,
    others.answer_participation,
    others.attach_device,
    others.update_device,
    others.move_device,
    others.rename_list,
    others.unmatched_message,
    others.install_pass,
    others.remove_pass,
    others.process_event,
)
"""Told first, so that a short story has nearly all callback types too."""
_MOMENTS: Final = (
    (0.25, subscriptions.stop_burst, 0.04),
    (0.45, subscriptions.stop_burst, 0.04),
    (0.60, subscriptions.archive_list, 0.08),
    (0.70, subscriptions.stop_burst, 0.04),
    (0.90, subscriptions.stop_burst, 0.04),
)
"""What happens when this share of the story is told, and the share it may itself have."""
_STEADINESS: Final = 30  # events: how far the shares may drift before the choice is forced


def tell(stage: Stage, callbacks: int) -> Iterator[Event]:
    """Exactly `callbacks` events. Every operation on the MobileDB has all its events among them."""
    told: Counter[str] = Counter()
    for operation in _opening_and_moments(stage, callbacks, told):
        room = callbacks - told.total()
        events = operation(stage, room)
        for event in events:
            told[_family(event)] += 1
        yield from events
        if told.total() == callbacks:
            return


def _opening_and_moments(stage: Stage, callbacks: int, told: Counter[str]) -> Iterator[Operation]:
    yield from _OPENING
    for share, moment, most in _MOMENTS:
        while told.total() < share * callbacks:
            yield _choose(stage.rng, told)
        yield _within(int(callbacks * most), moment)
    while True:
        yield _choose(stage.rng, told)


def _within(most: int, operation: Operation) -> Operation:
    return lambda stage, room: operation(stage, min(room, most))


def _choose(rng: random.Random, told: Counter[str]) -> Operation:
    """Return an operation of the family that is most behind its share, more or less."""
    total = told.total() + 1

    def behind(family: str) -> float:
        return _SHARES[family] * (total + rng.random() * _STEADINESS / _SHARES[family]) - told[family]

    weights = _OPERATIONS[max(_SHARES, key=behind)]
    (operation,) = rng.choices(list(weights), list(weights.values()))
    return operation


def _family(event: Event) -> str:
    fact = event.fact or ""
    if fact.startswith("person_"):
        return "person"
    return "subscription" if fact in ("subscription_added", "subscription_removed") else "other"
