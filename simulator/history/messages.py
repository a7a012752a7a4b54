"""The broker messages that ingest would have published. Pure."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from schemas.broker_message import CallbackMessage, ReceivedCallback
from simulator.history.delivery import Delivery
from simulator.history.spec import HistorySpec

_MOST_CALLBACKS: Final = 200
_HOUR: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SOURCE_IP: Final = "35.155.139.143"  # one of Vibes' published US addresses
_ENDPOINT: Final = "history"


def publish(deliveries: Iterable[Delivery], spec: HistorySpec, rng: random.Random) -> Iterator[CallbackMessage]:
    """Group deliveries, in order of receipt, into messages of one hour each; the last one only reports the total.

    A message's id tells its hour, as ingest's ids do, and is drawn from `rng`: a history that is published again has
    the same ids, so that what was applied of it is recognised.
    """
    group: list[ReceivedCallback] = []
    hour_ends = spec.begin
    acknowledged = 0
    for delivery in deliveries:
        received = ReceivedCallback(
            delivery.body, delivery.received_at, _SOURCE_IP, "POST", _ENDPOINT, {"content-type": "application/json"}
        )
        if group and (len(group) == _MOST_CALLBACKS or received.received_at >= hour_ends):
            yield _message(group, acknowledged, spec, rng)
            acknowledged += len(group)
            group = []
        if not group:
            hour_ends = received.received_at.replace(minute=0, second=0, microsecond=0) + _HOUR
        group.append(received)
    if group:
        yield _message(group, acknowledged, spec, rng)
        acknowledged += len(group)
        last = group[-1].received_at
        yield CallbackMessage(_id_at(last, rng), spec.company_key, spec.ingest_id, acknowledged, ())


def _message(
    group: list[ReceivedCallback], acknowledged: int, spec: HistorySpec, rng: random.Random
) -> CallbackMessage:
    message_id = _id_at(group[-1].received_at, rng)
    return CallbackMessage(message_id, spec.company_key, spec.ingest_id, acknowledged, tuple(group))


def _id_at(moment: datetime, rng: random.Random) -> UUID:
    """Return a version 7 UUID of a moment."""
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    drawn = rng.getrandbits(74)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | (drawn >> 62) << 64 | 0b10 << 62 | drawn & (1 << 62) - 1)
