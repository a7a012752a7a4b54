"""The same callbacks, in any order and any number of times, give the same views."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.postgres import Pool, create_pool
from tests.support.applying import apply_bodies, clear
from tests.support.bodies import encoded, person_body
from tests.support.views import VIEWS, rows

Bodies = st.SearchStrategy[dict[str, Any]]

# Hardly any values, so that nearly everything is about one thing and most moments are the same.
DATES = st.sampled_from(["2024-01-01T12:00Z", "2024-01-01T13:00:00.000+0100", "2024-01-02T00:00:00Z", None])
EVENT_IDS = st.sampled_from(["e1", "e2", None])


def one(id_field: str, value: str, /, **fields: st.SearchStrategy[Any]) -> Bodies:
    """A part of a body with an id."""
    return st.fixed_dictionaries({id_field: st.sampled_from([value, value, value, "2", None]), **fields})


def bodies_of(*types: str, **payload: st.SearchStrategy[Any]) -> Bodies:
    envelope = {"callback_type": st.sampled_from(types), "event_id": EVENT_IDS, "event_date": DATES}
    return st.fixed_dictionaries({**envelope, **payload})


PERSONS = st.sampled_from(
    [
        {"id": "P1", "external_id": "x"},
        {"id": "P1", "external_id": "y"},
        {"id": "P1", "person_key": "a"},
        {"person_key": "a"},
        {"id": 2},
        {},
    ]
)
# They tie a person's ids together.
PROFILES = st.builds(lambda person: person_body(event_id=None, **person), PERSONS)
FAMILIES = (
    bodies_of(
        "ack_participant_changed",
        "company_participant_added",
        participant=st.fixed_dictionaries(
            {
                "person": PERSONS,
                "acquisition_campaign": st.sampled_from(
                    [{"id": "C1", "keyword": "JOIN"}, {"id": "C1", "keyword": "IN"}, None]
                ),
                "status": st.sampled_from(["PENDING", "CONFIRMED", "REJECTED"]),
                "participation_date": st.sampled_from([None, "2024-01-01"]),
            }
        ),
    ),
    bodies_of(
        *(f"device_{what}" for what in ("added", "updated", "removed")),
        person=PERSONS,
        push_device=one("vibes_device_id", "D1", device_os=st.sampled_from(["IOS", "ANDROID"])),
    ),
    bodies_of(
        "wallet_item_install",
        "wallet_item_remove",
        wallet_item=one("uuid", "W1"),
        wallet_instance=st.fixed_dictionaries({"unregistered_at": DATES, "provider": st.sampled_from(["apple", 1])}),
    ),
    bodies_of(
        "subscription_list_added",
        "subscription_list_updated",
        subscription_list=one("id", "L1", name=st.sampled_from(["n", "m"])),
    ),
    bodies_of(
        "unmatched_message_received",
        message_id=st.sampled_from(["M1", None]),
        message=st.sampled_from(["hi", "STOP it", {}]),
    ),
    bodies_of(
        "event_processed",
        event_processed=one(
            "event_id",
            "S1",
            action=one("type", "routing", status=st.sampled_from(["ok", "bad"])),
            event_data=PERSONS,
        ),
    ),
)


def stories_of(family: Bodies) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.one_of(family, family, family, PROFILES), min_size=4, max_size=8)


def test_any_order_and_duplication_of_callbacks_gives_the_same_views(database_url: str) -> None:
    async def applied(pool: Pool, bodies: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        await clear(pool)
        await apply_bodies(pool, *([encoded(body)] for body in bodies))
        return {view: await rows(pool, view) for view in VIEWS}

    with asyncio.Runner() as runner:
        pool = runner.run(connect(database_url))

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(told=st.one_of(*map(stories_of, FAMILIES)), data=st.data())
        def check(told: list[dict[str, Any]], data: st.DataObject) -> None:
            again = [{**body, "delivery_attempt": "2"} for body in told]
            shuffled = data.draw(st.permutations(told + again))
            assert runner.run(applied(pool, shuffled)) == runner.run(applied(pool, told))

        try:
            check()
        finally:
            runner.run(pool.close())


async def connect(database_url: str) -> Pool:
    return await create_pool(database_url, "test", min_size=1, max_size=2)
