import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from schemas.broker_message import encode
from tests.support.applying import message
from tests.support.crm import change, crm_message
from workers.apply.batches import CALLBACKS, SUSPECT_DELIVERIES, Limits
from workers.apply.crm_reading import CRM_CHANGES
from workers.apply.inbox import Inbox

LIMITS = Limits(items=4, bytes=1_000_000, wait_seconds=0)
PATIENT = Limits(items=4, bytes=1_000_000, wait_seconds=60)


@dataclass
class Delivery:
    """What the inbox looks at of a delivery."""

    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)
    acked: list[bool] = field(default_factory=list)

    async def ack(self, *, multiple: bool = False) -> None:
        self.acked.append(multiple)


def delivery(callbacks: int = 1, deliveries: int = 0) -> Any:
    return Delivery(encode(message([b"{}"] * callbacks)), {"x-delivery-count": deliveries})


async def inbox_with(*deliveries: Any, closed: bool = True) -> Inbox:
    inbox = Inbox()
    for item in deliveries:
        await inbox.put(item)
    if closed:
        inbox.close()
    return inbox


async def batch_sizes(inbox: Inbox, limits: Limits = LIMITS) -> list[int]:
    sizes = []
    while (batch := await inbox.next_batch(limits, CALLBACKS)) is not None:
        sizes.append(len(batch.messages))
    return sizes


async def test_a_batch_is_closed_by_the_number_of_its_callbacks() -> None:
    assert await batch_sizes(await inbox_with(delivery(3), delivery(3), delivery(5), delivery(1))) == [2, 1, 1]


async def test_a_batch_is_closed_by_its_bytes() -> None:
    inbox = await inbox_with(delivery(), delivery(), delivery())
    assert await batch_sizes(inbox, Limits(items=100, bytes=10, wait_seconds=0)) == [1, 1, 1]


async def test_a_batch_does_not_wait_when_nothing_more_comes() -> None:
    inbox = await inbox_with(delivery(), closed=False)
    batch = await inbox.next_batch(LIMITS, CALLBACKS)
    assert batch is not None
    assert len(batch.messages) == 1


async def test_a_batch_waits_for_more_and_is_handed_out_as_soon_as_it_is_full() -> None:
    inbox = await inbox_with(delivery(2), closed=False)
    waiting = asyncio.ensure_future(inbox.next_batch(PATIENT, CALLBACKS))
    await asyncio.sleep(0)
    assert not waiting.done()
    await inbox.put(delivery(2))
    batch = await waiting
    assert batch is not None
    assert len(batch.messages) == 2


async def test_a_message_delivered_suspiciously_often_is_applied_alone() -> None:
    suspect = delivery(deliveries=SUSPECT_DELIVERIES + 1)
    assert await batch_sizes(await inbox_with(delivery(), suspect, delivery(), delivery()), PATIENT) == [1, 1, 2]


async def test_acking_a_batch_acks_all_of_it_by_its_last_message() -> None:
    first, last = delivery(), delivery()
    batch = await (await inbox_with(first, last)).next_batch(LIMITS, CALLBACKS)
    assert batch is not None
    await batch.ack()
    assert (first.acked, last.acked) == ([], [True])


async def test_a_message_that_is_not_ours_is_kept_apart() -> None:
    foreign: Any = Delivery(b"what is this")
    batch = await (await inbox_with(foreign, delivery())).next_batch(LIMITS, CALLBACKS)
    assert batch is not None
    assert [item.body for item, _ in batch.unreadable] == [b"what is this"]
    assert len(batch.messages) == 1


def crm_delivery(*changes: str, deliveries: int = 0) -> Any:
    return Delivery(crm_message([change(external) for external in changes]), {"x-delivery-count": deliveries})


async def test_changes_of_the_crm_are_batched_alike() -> None:
    suspect, foreign = crm_delivery("s", deliveries=SUSPECT_DELIVERIES + 1), delivery()
    inbox = await inbox_with(crm_delivery("a", "b"), crm_delivery("c", "d"), crm_delivery("e"), foreign, suspect)
    batches = []
    while (batch := await inbox.next_batch(PATIENT, CRM_CHANGES)) is not None:
        told = [item.change.external_person_id for message in batch.messages for item in message.changes]
        batches.append(("".join(told), [problem.reason for _, problem in batch.unreadable]))
    assert batches == [("abcd", []), ("e", ["unreadable_crm_message"]), ("s", [])]


@pytest.mark.parametrize(
    "envelope",
    [{"company_key": ""}, {"company_key": "a\0b"}, {"received_at": "0001-01-01T00:00:00+05:00"}, {"changes": [{}]}],
)
async def test_a_message_of_changes_whose_envelope_no_dead_letter_could_hold_is_unreadable(
    envelope: dict[str, Any],
) -> None:
    told: Any = Delivery(orjson.dumps({**orjson.loads(crm_message([change("a")])), **envelope}))
    batch = await (await inbox_with(told)).next_batch(LIMITS, CRM_CHANGES)
    assert batch is not None
    assert [problem.reason for _, problem in batch.unreadable] == ["unreadable_crm_message"]
