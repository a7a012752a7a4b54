"""What happens in a history beside subscriptions."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from itertools import accumulate
from typing import Final

from simulator.history.stage import HistoryStage
from simulator.model import JsonObject
from simulator.scenario import others, people
from simulator.scenario.generator import Operation
from simulator.seeds import new_uuid

_OPERATIONS: Final[Mapping[Operation, int]] = {
    people.change: 34,
    others.unmatched_message: 16,
    others.attach_device: 8,
    others.update_device: 4,
    others.remove_device: 3,
    others.move_device: 2,
    others.install_pass: 6,
    others.remove_pass: 4,
}
_MESSAGES: Final = 12
"""Messages the customer has sent by an event, beside those: each is told in up to four steps."""
_CHOICES: Final = (*_OPERATIONS, None)
_WEIGHTS: Final = tuple(accumulate((*_OPERATIONS.values(), _MESSAGES)))
_Step = tuple[float, JsonObject]
_DELIVERY: Final[tuple[_Step, ...]] = (
    (0.0, {"type": "routing", "status": "processing", "status_reason": "accepted_by_event_triggered_message"}),
    (1.5, {"type": "processing", "status": "queued", "status_reason": "queued_to_be_sent_to_carrier"}),
    (4.0, {"type": "carrier_dlr", "status": "delivered", "status_reason": None}),
    (9.0, {"type": "handset_dlr", "status": "delivered", "status_reason": None}),
)
"""After how many seconds which step is told, when all goes well."""
_FAILURES: Final[tuple[tuple[int, JsonObject], ...]] = (
    (0, {"type": "routing", "status": "failed", "status_reason": "person_not_found"}),
    (0, {"type": "routing", "status": "failed", "status_reason": "person_not_subscribed"}),
    (2, {"type": "carrier_dlr", "status": "failed", "status_reason": "undeliverable"}),
)
"""What may be told in the place of which step; Vibes documents the failures without these strings."""
_FAILING: Final = 0.09


def happen(stage: HistoryStage) -> None:
    """Let something happen that belongs to no list."""
    if not stage.pool or stage.room < 1:
        return
    (operation,) = stage.rng.choices(_CHOICES, cum_weights=_WEIGHTS)
    if operation is None:
        _send_message(stage)
    else:
        operation(stage, stage.room)


def _send_message(stage: HistoryStage) -> None:
    """Let the customer have a message sent, by an event of theirs."""
    who, inner_id = stage.somebody(), new_uuid(stage.rng)
    event_type = stage.rng.choice(("day_of_delivery", "order_shipped", "order_shipped"))
    data: JsonObject = {"first_name": "Bob", "delivery_time": "5:00 PM", "person_key": who.person_key}
    if who.external_person_id:
        data["external_person_id"] = who.external_person_id
    steps = list(_DELIVERY)
    if stage.rng.random() < _FAILING:
        place, failure = stage.rng.choice(_FAILURES)
        steps = [*steps[:place], (steps[place][0], failure)]
    elif stage.rng.random() < 0.2:
        steps.pop()  # not every handset answers

    for seconds, action in steps:
        tell = partial(_tell_step, stage, inner_id, event_type, data, action)
        stage.plan(stage.now + timedelta(seconds=seconds * stage.rng.lognormvariate(0, 0.6)), tell)


def _tell_step(stage: HistoryStage, inner_id: str, event_type: str, data: JsonObject, action: JsonObject) -> None:
    if stage.room:
        stage.announcer.processed(inner_id, event_type, data, dict(action), stage.tick())
