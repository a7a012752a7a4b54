"""Several batches at a time; what is acked, and when."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.broker_message import CallbackMessage, encode
from tests.support.applying import message
from workers.apply.batches import CALLBACKS, SUSPECT_DELIVERIES, Batch
from workers.apply.pipeline import Pipeline

Callbacks = Batch[CallbackMessage]


class BatchError(Exception):
    """What goes wrong with a batch in these tests."""


@dataclass
class Delivery:
    """What a batch looks at of a delivery."""

    name: str
    acked: list[str]
    headers: dict[str, Any]
    error: Exception | None = None
    """What acking it raises."""

    @property
    def body(self) -> bytes:
        return encode(message([b"{}"], self.name))

    async def ack(self, *, multiple: bool = False) -> None:
        assert multiple
        if self.error:
            raise self.error
        self.acked.append(self.name)


@dataclass
class Work:
    """A pipeline whose batches are settled when the test says so."""

    started: list[str] = field(default_factory=list)
    acked: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    under_way: set[str] = field(default_factory=set)
    source: "asyncio.Queue[Callbacks | None]" = field(default_factory=asyncio.Queue)
    source_given_up: bool = False
    ends: dict[str, "asyncio.Future[None]"] = field(default_factory=dict)
    running: "asyncio.Task[None] | None" = None

    def start(self, depth: int = 2) -> "asyncio.Task[None]":
        self.running = asyncio.create_task(Pipeline(self._settle, depth).run(self._next_batch))
        return self.running

    async def deliver(self, *names: str, suspect: bool = False, ack_error: Exception | None = None) -> None:
        for name in names:
            self.ends[name] = asyncio.get_running_loop().create_future()
            batch = Batch(CALLBACKS)
            count = SUSPECT_DELIVERIES + 1 if suspect else 0
            delivery: Any = Delivery(name, self.acked, {"x-delivery-count": count}, ack_error)
            batch.add(delivery)
            self.source.put_nowait(batch)
        await everything_has_gone_on()

    async def close(self) -> None:
        self.source.put_nowait(None)
        await everything_has_gone_on()

    async def finish(self, *names: str) -> None:
        for name in names:
            self.ends[name].set_result(None)
            await everything_has_gone_on()

    async def fail(self, name: str) -> None:
        self.ends[name].set_exception(BatchError(name))
        await everything_has_gone_on()

    async def _next_batch(self) -> Callbacks | None:
        try:
            return await self.source.get()
        except asyncio.CancelledError:
            self.source_given_up = True
            raise

    async def _settle(self, batch: Callbacks) -> None:
        name = batch.messages[0].company_key
        self.started.append(name)
        self.under_way.add(name)
        try:
            await self.ends[name]
        except asyncio.CancelledError:
            await everything_has_gone_on()  # to roll a transaction back takes a while
            self.given_up.append(name)
            raise
        finally:
            self.under_way.remove(name)


async def everything_has_gone_on() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def work() -> AsyncIterator[Work]:
    work = Work()
    yield work
    if work.running:
        work.running.cancel()
        await asyncio.gather(work.running, return_exceptions=True)


async def test_batches_are_acked_in_the_order_of_delivery_whatever_is_settled_first(work: Work) -> None:
    work.start(depth=3)
    await work.deliver("a", "b", "c")
    await work.finish("c", "b")
    assert work.acked == []
    await work.finish("a")
    assert work.acked == ["a", "b", "c"]


async def test_a_batch_is_acked_as_soon_as_it_may_be_although_nothing_more_comes(work: Work) -> None:
    running = work.start()
    await work.deliver("a", "b")
    await work.finish("a")
    assert work.acked == ["a"]
    assert not running.done()


async def test_at_the_end_all_that_was_delivered_is_settled_and_acked(work: Work) -> None:
    running = work.start(depth=2)
    await work.deliver("a", "b", "c")
    await work.close()
    await work.finish("b", "a")
    assert not running.done()
    await work.finish("c")
    await running
    assert work.acked == ["a", "b", "c"]


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_so_many_batches_are_under_way_at_most(work: Work, depth: int) -> None:
    running = work.start(depth)
    names = list("abcdef")
    await work.deliver(*names)
    await work.close()
    for done, name in enumerate(names):
        assert work.under_way == set(names[done : done + depth])
        await work.finish(name)
    await running
    assert work.acked == names


async def test_a_batch_that_waits_for_its_ack_counts_as_under_way(work: Work) -> None:
    work.start(depth=2)
    await work.deliver("a", "b", "c")
    await work.finish("b")
    assert work.started == ["a", "b"]
    await work.finish("a")
    assert work.started == ["a", "b", "c"]


async def test_neither_a_batch_that_fails_nor_what_came_after_it_is_acked(work: Work) -> None:
    running = work.start(depth=3)
    await work.deliver("a", "b", "c")
    await work.finish("c")
    await work.fail("b")
    await work.finish("a")
    with pytest.raises(BatchError, match="b"):
        await running
    assert work.acked == ["a"]


async def test_when_one_fails_what_is_under_way_after_it_is_given_up_and_nothing_more_is_started(work: Work) -> None:
    running = work.start(depth=2)
    await work.deliver("a", "b", "c")
    await work.fail("a")
    with pytest.raises(BatchError, match="a"):
        await running
    assert (work.started, work.given_up, work.acked) == (["a", "b"], ["b"], [])


async def test_a_failure_is_noticed_while_nothing_more_comes(work: Work) -> None:
    running = work.start()
    await work.deliver("a")
    assert not running.done()
    await work.fail("a")
    with pytest.raises(BatchError, match="a"):
        await running
    assert work.source_given_up


async def test_a_failure_of_a_later_batch_is_noticed_once_those_before_it_are_done(work: Work) -> None:
    running = work.start()
    await work.deliver("a", "b")
    await work.fail("b")
    assert not running.done()
    await work.finish("a")
    with pytest.raises(BatchError, match="b"):
        await running
    assert work.acked == ["a"]


async def test_an_ack_that_fails_stops_everything_too(work: Work) -> None:
    running = work.start(depth=2)
    await work.deliver("a", ack_error=ConnectionError("gone"))
    await work.deliver("b")
    await work.finish("b", "a")
    with pytest.raises(ConnectionError):
        await running
    assert work.acked == []


async def test_a_suspect_batch_is_started_when_those_before_it_are_acked(work: Work) -> None:
    work.start(depth=3)
    await work.deliver("a", "b")
    await work.deliver("s", suspect=True)
    await work.finish("a")
    assert work.started == ["a", "b"]
    await work.finish("b")
    assert (work.started, work.acked) == (["a", "b", "s"], ["a", "b"])


async def test_nothing_is_started_beside_a_suspect_batch(work: Work) -> None:
    work.start(depth=3)
    await work.deliver("s", suspect=True)
    await work.deliver("a", "b")
    assert work.under_way == {"s"}
    await work.finish("s")
    assert work.acked == ["s"]
    assert work.under_way == {"a", "b"}


async def test_suspect_batches_run_one_by_one(work: Work) -> None:
    work.start(depth=3)
    await work.deliver("s", "t", suspect=True)
    assert work.under_way == {"s"}
    await work.finish("s")
    assert work.under_way == {"t"}


async def test_when_it_is_cancelled_all_that_is_under_way_is_cancelled_and_has_ended(work: Work) -> None:
    running = work.start(depth=3)
    await work.deliver("a", "b", "c")
    await work.finish("b")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (work.given_up, work.under_way, work.acked) == (["a", "c"], set(), [])
    await everything_has_gone_on()
    assert work.source_given_up


async def test_when_it_is_cancelled_while_it_waits_for_room_the_same_holds(work: Work) -> None:
    running = work.start(depth=2)
    await work.deliver("a", "b", "c")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (sorted(work.given_up), work.under_way, work.acked) == (["a", "b"], set(), [])


async def test_what_goes_wrong_with_the_source_gives_up_what_is_under_way(work: Work) -> None:
    async def broken() -> Callbacks | None:
        if work.started:
            raise ConnectionError("gone")
        return await work.source.get()

    running = work.running = asyncio.create_task(Pipeline(work._settle, 2).run(broken))
    await work.deliver("a")
    with pytest.raises(ConnectionError):
        await running
    assert (work.under_way, work.acked) == (set(), [])
