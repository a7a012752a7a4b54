"""Persons who became due: some are announced to the person workers, the sweep takes the others at once."""

from collections.abc import AsyncIterator

import pytest

from runtime.postgres import Pool, create_pool
from tests.support.applying import COMPANIES, message
from tests.support.bodies import encoded, subscription_body
from workers.apply.reading import read_message
from workers.apply.settle import settle
from workers.apply.transaction import Settled


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "test", min_size=0, max_size=1, by_key=True) as pool:
        yield pool


async def subscribe(pool: Pool, *persons: str, announce: int) -> Settled:
    bodies = [
        encoded(subscription_body(event_id=f"{person}-{announce}", person={"id": person, "person_key": f"K-{person}"}))
        for person in persons
    ]
    return await settle(pool, [read_message(message(bodies), lambda _: "US")], COMPANIES, announce=announce)


async def left_to_the_sweep(pool: Pool) -> set[str]:
    """Return the uids of persons the sweep would take now."""
    rows = await pool.fetch("SELECT person_uid FROM person_sync WHERE status = 'pending' AND next_attempt_at <= now()")
    return {str(row["person_uid"]) for row in rows}


@pytest.mark.parametrize(("announce", "announced"), [(0, 0), (1, 1), (3, 3), (5, 5), (100, 5)])
async def test_no_more_persons_are_announced_than_there_is_room_for(pool: Pool, announce: int, announced: int) -> None:
    settled = await subscribe(pool, "A", "B", "C", "D", "E", announce=announce)
    told = {str(person.person_uid) for person in settled.due}
    swept = await left_to_the_sweep(pool)
    assert (len(told), len(swept)) == (announced, 5 - announced)
    assert told.isdisjoint(swept)


async def test_a_person_announced_before_is_left_to_the_sweep_when_there_is_no_room_any_more(pool: Pool) -> None:
    (person,) = (await subscribe(pool, "A", announce=1)).due
    assert await left_to_the_sweep(pool) == set()
    assert (await subscribe(pool, "A", announce=0)).due == []
    assert await left_to_the_sweep(pool) == {str(person.person_uid)}
