"""Several tasks wait for work; one piece of work wakes one of them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.wake import Wake


class Waiters:
    """Tasks that wait, and the order in which they were woken."""

    def __init__(self) -> None:
        self.wake = Wake(asyncio.get_running_loop())
        self.woken: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, *names: str) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self._wait(name))
        await settled()

    async def _wait(self, name: str) -> None:
        await self.wake.wait()
        self.woken.append(name)


async def settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def waiters() -> AsyncIterator[Waiters]:
    waiters = Waiters()
    yield waiters
    for task in waiters.tasks.values():
        task.cancel()
    await asyncio.gather(*waiters.tasks.values(), return_exceptions=True)


async def test_one_waiter_is_woken_the_one_who_has_waited_longest(waiters: Waiters) -> None:
    await waiters.start("a", "b", "c")
    waiters.wake.wake_one()
    await settled()
    assert waiters.woken == ["a"]


async def test_a_second_call_wakes_nobody_while_the_first_waiter_has_not_looked_yet(waiters: Waiters) -> None:
    await waiters.start("a", "b", "c")
    waiters.wake.wake_one()
    waiters.wake.wake_one()
    await settled()
    assert waiters.woken == ["a"]


async def test_once_that_waiter_has_looked_the_next_call_wakes_another(waiters: Waiters) -> None:
    await waiters.start("a", "b", "c")
    for _ in range(2):
        waiters.wake.wake_one()
        await settled()
    assert waiters.woken == ["a", "b"]


async def test_a_call_that_nobody_waits_for_has_no_effect(waiters: Waiters) -> None:
    waiters.wake.wake_one()
    await waiters.start("a")
    assert waiters.woken == []
    waiters.wake.wake_one()
    await settled()
    assert waiters.woken == ["a"]


async def test_a_waiter_who_gives_up_is_not_woken(waiters: Waiters) -> None:
    await waiters.start("a", "b")
    waiters.tasks["a"].cancel()
    await settled()
    waiters.wake.wake_one()
    await settled()
    assert waiters.woken == ["b"]


async def test_a_waiter_who_gives_up_at_the_moment_it_is_woken_passes_that_on(waiters: Waiters) -> None:
    await waiters.start("a", "b", "c")
    waiters.wake.wake_one()
    waiters.tasks["a"].cancel()
    await settled()
    assert waiters.tasks["a"].cancelled()
    assert waiters.woken == ["b"]


async def test_a_waiter_who_is_giving_up_but_has_not_left_yet_is_passed_over(waiters: Waiters) -> None:
    await waiters.start("a", "b")
    waiters.tasks["a"].cancel()
    waiters.wake.wake_one()
    await settled()
    assert waiters.tasks["a"].cancelled()
    assert waiters.woken == ["b"]


async def test_when_all_give_up_at_once_each_just_ends(waiters: Waiters) -> None:
    await waiters.start("a", "b", "c")
    waiters.wake.wake_one()
    for task in waiters.tasks.values():
        task.cancel()
    await asyncio.gather(*waiters.tasks.values(), return_exceptions=True)
    assert [task.cancelled() for task in waiters.tasks.values()] == [True] * 3
    await waiters.start("d")
    waiters.wake.wake_one()
    await settled()
    assert waiters.woken == ["d"]


async def test_a_waiter_who_was_woken_may_wait_again(waiters: Waiters) -> None:
    await waiters.start("a")
    for expected in (["a"], ["a", "a"]):
        waiters.wake.wake_one()
        await settled()
        assert waiters.woken == expected
        await waiters.start("a")


class Workers:
    """Whoever is woken does all the work there is, and looks for some before it waits: as the publishers do."""

    def __init__(self) -> None:
        self._wake = Wake(asyncio.get_running_loop())
        self.work = 0
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.tasks.append(asyncio.create_task(self._run()))

    async def _run(self) -> None:
        while True:
            self.work = 0
            await self._wake.wait()

    def add(self) -> None:
        self.work += 1
        self._wake.wake_one()

    def cancel_one(self) -> None:
        if self.tasks:
            self.tasks.pop(0).cancel()


@given(steps=st.lists(st.sampled_from(["work", "cancel", "start", "let run"]), max_size=50))
def test_no_work_is_left_while_somebody_waits(steps: list[str]) -> None:
    async def scenario() -> None:
        workers = Workers()
        workers.start()
        workers.start()
        does = {"work": workers.add, "cancel": workers.cancel_one, "start": workers.start}
        for step in steps:
            if step in does:
                does[step]()
            else:
                await asyncio.sleep(0)
        await settled()
        assert workers.work == 0 or not workers.tasks
        assert not any(task.done() for task in workers.tasks)
        for task in workers.tasks:
            task.cancel()
        await asyncio.gather(*workers.tasks, return_exceptions=True)

    asyncio.run(scenario())
