"""The same callbacks, in any order, any number of times and in any batches, give the same tables."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.postgres import Pool, create_pool
from tests.support.applying import apply_bodies, clear, snapshot
from tests.support.bodies import documented_bodies

# Few values, so that everything collides: ids, keys, stays, times, event ids.
ids = st.sampled_from(["1", "1", "2", 1])
keys = st.sampled_from(["a", "b"])
mdns = st.sampled_from(["+15550000001", "5550000002"])
external_ids = st.sampled_from(["x", "y"])
moments = st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-02T00:00Z", "2024-01-02T01:00:00+0100"])
moments_or_nonsense = st.one_of(moments, moments, moments, st.sampled_from(["", None]))
event_ids = st.one_of(st.sampled_from(["e1", "e2"]), st.uuids().map(str), st.none())


def person(more: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """A person named by id, by key, or by both; rarely by none."""
    named = st.one_of(
        st.fixed_dictionaries({"id": ids}),
        st.fixed_dictionaries({"person_id": ids, "person_key": keys}),
        st.fixed_dictionaries({"person_key": keys}, optional={"id": ids}),
    )
    return st.builds(dict.__or__, named, more)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


subscriptions = st.fixed_dictionaries(
    {
        "person": person(optional(external_person_id=external_ids, mobile_phone=st.fixed_dictionaries({"mdn": mdns}))),
        "subscription_list": st.fixed_dictionaries({"id": st.sampled_from(["L1", "L2"])}),
        "opt_in_date": moments_or_nonsense,
    },
    optional={
        "opt_out_date": moments_or_nonsense,
        "opt_out_reason": st.sampled_from(["user_opt_out", "from_the_future"]),
        "acquisition_campaign": optional(id=st.sampled_from(["C1", "C2"])),
    },
)
profiles = person(
    optional(
        external_person_id=external_ids,
        mobile_phone=optional(mdn=mdns, carrier_code=st.sampled_from(["104", 104])),
        timezone=st.sampled_from(["US/Central", None]),
        custom_fields=optional(a=st.sampled_from(["1", "2", None, []])),
        updated_at=moments_or_nonsense,
    )
)


def bodies_of(types: list[str], payload: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return st.fixed_dictionaries(
        {
            "callback_type": st.sampled_from(types),
            payload: values,
            "event_id": event_ids,
            "event_date": moments_or_nonsense,
        },
        optional={"delivery_attempt": st.sampled_from(["1", "2"])},
    ).map(orjson.dumps)


bodies = st.one_of(
    bodies_of(["subscription_added", "subscription_removed"], "subscription", subscriptions),
    bodies_of(["person_updated"], "person", profiles),
    bodies_of(["person_updated", "person_added"], "person", profiles),
    bodies_of(["subscription_list_added"], "subscription_list", optional(id=st.sampled_from(["L1", 5]))),
)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "test", min_size=0, max_size=4) as pool:
        yield pool


def test_any_order_duplication_and_batching_of_callbacks_gives_the_same_tables(database_url: str) -> None:
    with asyncio.Runner() as runner:
        pool = runner.run(connect(database_url))

        @settings(
            max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
        )
        @given(told=st.lists(bodies, min_size=1, max_size=7), data=st.data())
        def check(told: list[bytes], data: st.DataObject) -> None:
            shuffled = data.draw(st.permutations(told + told[: len(told) // 2]))
            batches = cut(shuffled, data.draw(st.lists(st.integers(1, 6), max_size=6)))
            one_by_one = runner.run(applied(pool, [[body] for body in told]))
            assert runner.run(applied(pool, batches)) == one_by_one

        try:
            check()
        finally:
            runner.run(pool.close())


async def test_two_profiles_of_one_moment_converge_although_only_one_tells_its_update(pool: Pool) -> None:
    # Found by the test above.
    told = [
        orjson.dumps(
            {
                "callback_type": "person_updated",
                "event_id": event_id,
                "event_date": "2024-01-02T00:00Z",
                "person": person,
            }
        )
        for event_id, person in (("e1", {"id": "1"}), ("e2", {"id": "1", "updated_at": "2024-01-02T00:00Z"}))
    ]
    assert await applied(pool, [[body] for body in told]) == await applied(pool, [[body] for body in reversed(told)])


async def test_the_documented_bodies_converge_although_they_share_one_event_id(pool: Pool) -> None:
    documented = documented_bodies()
    forwards = await applied(pool, [documented])
    assert len(forwards["events"]) == len(documented)
    assert await applied(pool, [[body] for body in [*reversed(documented), *documented]]) == forwards


async def test_workers_that_apply_the_same_callbacks_at_once_end_in_the_same_tables(pool: Pool) -> None:
    told = [
        orjson.dumps(
            {
                "event_id": f"e{number}",
                "callback_type": "subscription_added" if number % 3 else "subscription_removed",
                "event_date": f"2024-01-{number % 28 + 1:02}T00:00:00Z",
                "subscription": {
                    # Links of ids that arrive in different transactions: persons have to be merged under way.
                    "person": {"id": f"{number % 7}", "person_key": f"k{number % 5}"}
                    if number % 4
                    else {"person_key": f"k{number % 11}"},
                    "subscription_list": {"id": f"L{number % 2}"},
                    "opt_in_date": f"2023-01-{number % 9 + 1:02}T00:00:00Z",
                    "opt_out_date": f"2023-02-{number % 5 + 1:02}T00:00:00Z",
                },
            }
        )
        for number in range(240)
    ]
    alone = await applied(pool, [told])

    await clear(pool)
    workers = [cut(told[shift:] + told[:shift], [7, 19, 3]) for shift in (0, 60, 120, 180)]
    await asyncio.gather(*(apply_bodies(pool, *batches) for batches in workers))

    assert await snapshot(pool) == alone


async def applied(pool: Pool, batches: list[list[bytes]]) -> dict[str, list[dict[str, Any]]]:
    """Return what an empty database holds after these batches."""
    await clear(pool)
    await apply_bodies(pool, *batches)
    return await snapshot(pool)


def cut(items: list[bytes], sizes: list[int]) -> list[list[bytes]]:
    """Cut a list into parts of these sizes, over and over; in one part when there are none."""
    parts, start, turn = [], 0, 0
    while start < len(items):
        size = sizes[turn % len(sizes)] if sizes else len(items)
        parts.append(items[start : start + size])
        start, turn = start + size, turn + 1
    return parts


async def connect(database_url: str) -> Pool:
    return await create_pool(database_url, "test", min_size=0, max_size=4)
