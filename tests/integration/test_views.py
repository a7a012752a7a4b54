"""The views of current state: what each shows."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.postgres import Pool, create_pool
from schemas.values import read_timestamp
from tests.support.applying import apply_bodies, clear
from tests.support.bodies import documented_bodies, encoded, subscription_body
from tests.support.views import VIEWS, rows

MONDAY, TUESDAY, WEDNESDAY = (f"2024-01-{day:02}T12:00:00Z" for day in (1, 2, 3))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "test", min_size=0, max_size=2) as pool:
        yield pool


async def row(pool: Pool, view: str) -> dict[str, Any]:
    (only,) = await rows(pool, view)
    return only


def callback(callback_type: str, event_date: str | None, event_id: str | None = None, **payload: Any) -> bytes:
    return encoded(
        {
            "event_id": event_id or f"{callback_type} {event_date}",
            "callback_type": callback_type,
            "event_date": event_date,
            **payload,
        }
    )


def participation(
    status: Any, event_date: str, kind: str = "ack_participant_added", event_id: str | None = None, **fields: Any
) -> bytes:
    participant = {
        "person": {"id": "P1"},
        "acquisition_campaign": {"id": "C1"},
        "participation_date": MONDAY,
        "status": status,
        **fields,
    }
    return callback(kind, event_date, event_id, participant=participant)


def device(kind: str, person_id: Any, event_date: str | None, event_id: str | None = None) -> bytes:
    person = {} if person_id is None else {"person": {"person_id": person_id}}
    return callback(f"device_{kind}", event_date, event_id, **person, push_device={"vibes_device_id": "D1"})


def wallet(kind: str, event_date: str, instance: Any = "W1", event_id: str | None = None, **fields: Any) -> bytes:
    return callback(
        f"wallet_item_{kind}",
        event_date,
        event_id,
        wallet_item={"uuid": "item"},
        wallet_instance={"wallet_instance_uid": instance, **fields},
    )


def step(action: str, event_date: str | None, submitted: str = "S1", event_id: str | None = None) -> bytes:
    processed = {"event_id": submitted, "event_type": "day_of_delivery", "action": {"type": action, "status": "ok"}}
    return callback("event_processed", event_date, event_id or f"{action} {event_date}", event_processed=processed)


# participations


async def test_a_documented_participation_is_shown_as_it_was_told(pool: Pool) -> None:
    await apply_bodies(pool, documented_bodies())

    shown = await row(pool, "participations")

    assert shown["person_id"] == "AB3423"
    assert shown["external_person_id"] == "ex123"
    assert shown["mdn"] == "+12995551234"
    assert (shown["campaign_id"], shown["keyword"]) == ("C1323542", "SUBSCRIBED")
    assert shown["campaign_description"] == "Great Acquisition Campaign"
    assert shown["participation_date"] == read_timestamp("2017-01-14T14:30Z")
    assert (shown["status"], shown["expired"]) == ("PENDING", True)
    assert shown["person_uid"] is None, "nothing else was told of this person"


async def test_an_answer_to_a_sign_up_counts_even_if_it_is_dated_before_the_sign_up(pool: Pool) -> None:
    await apply_bodies(pool, [participation("CONFIRMED", MONDAY), participation("PENDING", TUESDAY)])
    assert (await row(pool, "participations"))["status"] == "CONFIRMED"


async def test_the_later_of_two_answers_counts_and_at_the_same_moment_the_refusal(pool: Pool) -> None:
    await apply_bodies(pool, [participation("REJECTED", MONDAY), participation("CONFIRMED", TUESDAY)])
    assert (await row(pool, "participations"))["status"] == "CONFIRMED"

    await apply_bodies(pool, [participation("REJECTED", TUESDAY, event_id="a")])
    assert (await row(pool, "participations"))["status"] == "REJECTED"


async def test_the_campaigns_and_the_companys_callback_about_one_sign_up_share_a_row(pool: Pool) -> None:
    await apply_bodies(
        pool,
        [participation("PENDING", MONDAY, kind) for kind in ("ack_participant_added", "company_participant_added")],
        [participation("CONFIRMED", TUESDAY, "company_participant_changed", subscription_list={"id": "L1"})],
        [participation("CONFIRMED", WEDNESDAY, "ack_participant_changed")],
    )
    shown = await row(pool, "participations")
    assert (shown["status"], shown["list_id"]) == ("CONFIRMED", "L1")


async def test_a_person_who_signs_up_again_has_a_row_for_each_time(pool: Pool) -> None:
    await apply_bodies(
        pool,
        [participation("REJECTED", MONDAY)],
        [participation("PENDING", WEDNESDAY, participation_date="2024-01-03T12:00:00+0000", expire_date="2999-01-01")],
    )
    shown = await rows(pool, "participations")
    assert {(each["status"], each["expired"]) for each in shown} == {("REJECTED", False), ("PENDING", False)}


async def test_a_person_named_by_different_ids_is_one_person_once_a_callback_has_tied_them(pool: Pool) -> None:
    await apply_bodies(
        pool,
        [participation("PENDING", MONDAY)],
        [participation("CONFIRMED", TUESDAY, person={"person_key": "K1"})],
    )
    assert len(await rows(pool, "participations")) == 2

    await apply_bodies(pool, [encoded(subscription_body(person={"id": "P1", "person_key": "K1"}))])

    shown = await row(pool, "participations")
    assert shown["status"] == "CONFIRMED"
    assert shown["person_uid"] == await pool.fetchval("SELECT person_uid FROM persons")


# push devices


async def test_a_device_belongs_to_whom_it_was_added_last_whatever_came_first(pool: Pool) -> None:
    moved = [device("added", "P1", MONDAY), device("removed", "P1", TUESDAY), device("added", "P2", TUESDAY)]
    for order in (moved, moved[::-1]):
        await clear(pool)
        await apply_bodies(pool, *([body] for body in order))
        shown = await row(pool, "push_devices")
        assert (shown["person_id"], shown["attached"], shown["removed_at"]) == ("P2", True, None)


async def test_a_removal_counts_for_the_person_it_names_and_against_an_addition_of_that_moment(pool: Pool) -> None:
    await apply_bodies(pool, [device("added", 1, MONDAY), device("removed", "1", MONDAY)])
    shown = await row(pool, "push_devices")
    assert (shown["person_id"], shown["attached"]) == ("1", False)
    assert shown["removed_at"] == read_timestamp(MONDAY)

    await apply_bodies(pool, [device("added", "1", TUESDAY)])
    assert (await row(pool, "push_devices"))["attached"] is True


async def test_a_device_known_by_its_removal_only_is_shown_as_removed(pool: Pool) -> None:
    await apply_bodies(pool, [device("removed", "P1", MONDAY)])
    shown = await row(pool, "push_devices")
    assert (shown["person_id"], shown["attached"]) == ("P1", False)


async def test_an_update_that_names_nobody_does_not_say_whose_the_device_is(pool: Pool) -> None:
    await apply_bodies(pool, [device("added", "P1", MONDAY), device("updated", None, TUESDAY)])
    shown = await row(pool, "push_devices")
    assert (shown["person_id"], shown["attached"]) == ("P1", True)


async def test_no_view_shows_push_tokens_or_the_tokens_of_passes(pool: Pool) -> None:
    await apply_bodies(pool, documented_bodies())
    for view in VIEWS:
        for shown in await rows(pool, view):
            assert "62171B34" not in repr(shown)
            assert "Calrissian" not in repr(shown)


# wallet items


async def test_a_documented_pass_is_shown_as_it_was_told(pool: Pool) -> None:
    await apply_bodies(pool, documented_bodies())
    shown = await row(pool, "wallet_items")
    assert shown["item_uuid"] == "item-uuid"
    assert (shown["provider"], shown["campaign_token"], shown["installed"]) == ("google", "r3zhm8", True)
    assert shown["registered_at"] == shown["expiration_date"] == read_timestamp("2017-01-14T14:30Z")


async def test_a_pass_is_installed_until_it_is_removed_and_again_when_it_comes_back(pool: Pool) -> None:
    install = wallet("install", MONDAY, registered_at=MONDAY)
    remove = wallet("remove", TUESDAY, unregistered_at=TUESDAY)
    await apply_bodies(pool, [remove, install])
    shown = await row(pool, "wallet_items")
    assert (shown["installed"], shown["registered_at"]) == (False, read_timestamp(MONDAY))
    assert shown["unregistered_at"] == read_timestamp(TUESDAY)

    await apply_bodies(pool, [wallet("install", WEDNESDAY)])
    shown = await row(pool, "wallet_items")
    assert (shown["installed"], shown["unregistered_at"]) == (True, None)


async def test_at_the_same_moment_a_pass_is_removed_and_each_installation_has_its_row(pool: Pool) -> None:
    await apply_bodies(pool, [wallet("install", MONDAY), wallet("remove", MONDAY), wallet("install", MONDAY, 2, "x")])
    shown = await rows(pool, "wallet_items")
    assert {(each["wallet_instance_uid"], each["installed"]) for each in shown} == {("W1", False), ("2", True)}


# subscription lists


async def test_lists_are_those_announced_and_those_subscriptions_name(pool: Pool) -> None:
    await apply_bodies(
        pool,
        documented_bodies(),
        [encoded(subscription_body(list_id=f"L{n}", event_id=f"e{n}", opt_in_date=MONDAY)) for n in range(3)],
    )
    shown = {each["list_id"]: (each["name"], each["announced"]) for each in await rows(pool, "subscription_lists")}
    assert shown == {
        "ABC12345": ("Wonderful Subscription List", True),
        **dict.fromkeys(("1234", "L0", "L1", "L2"), (None, False)),
    }


async def test_a_list_has_the_name_that_was_told_last(pool: Pool) -> None:
    def told(kind: str, event_date: str, **fields: str) -> bytes:
        return callback(f"subscription_list_{kind}", event_date, subscription_list={"id": 7, **fields})

    await apply_bodies(
        pool, [told("updated", TUESDAY, name="new")], [told("added", TUESDAY, name="old"), told("updated", MONDAY)]
    )

    shown = await row(pool, "subscription_lists")
    assert (shown["list_id"], shown["name"], shown["event_id"]) == ("7", "new", f"subscription_list_updated {TUESDAY}")
    assert shown["added_at"] == read_timestamp(TUESDAY)


# inbound messages


async def test_a_documented_message_is_shown_with_its_text(pool: Pool) -> None:
    await apply_bodies(pool, documented_bodies())
    shown = await row(pool, "inbound_messages")
    assert shown["message"] == "Hello, this is my message!"
    assert (shown["mdn"], shown["carrier_code"]) == ("+13123454567", "104")
    assert (shown["source_code"], shown["country_code"], shown["source_company_key"]) == ("52623", "44", "vibes123")
    assert shown["response_sent"] is True
    assert shown["receipt_date"] == read_timestamp("2019-06-04T22:29:51Z")


async def test_a_message_told_by_two_events_is_one_message(pool: Pool) -> None:
    told = {"message_id": "M1", "message": "hello"}
    await apply_bodies(pool, [callback("unmatched_message_received", MONDAY, event, **told) for event in ("a", "b")])
    await apply_bodies(pool, [callback("unmatched_message_received", MONDAY, "c", message="no id")])
    shown = {each["message_id"]: each["message"] for each in await rows(pool, "inbound_messages")}
    assert shown == {"M1": "hello", "c": "no id"}


# submitted events


async def test_an_event_has_its_last_step_as_its_outcome_and_every_step_is_counted(pool: Pool) -> None:
    await apply_bodies(
        pool, [step("handset_dlr", WEDNESDAY), step("routing", MONDAY), step("carrier_dlr", TUESDAY)], [step("a", None)]
    )
    shown = await row(pool, "event_outcomes")
    assert (shown["submitted_event_id"], shown["event_type"]) == ("S1", "day_of_delivery")
    assert (shown["action_type"], shown["steps"]) == ("handset_dlr", 4)
    assert shown["first_step_date"] == read_timestamp(MONDAY)
    assert len(await rows(pool, "event_steps")) == 4


async def test_routing_is_the_first_of_the_steps_of_one_moment(pool: Pool) -> None:
    await apply_bodies(pool, [step("routing", MONDAY, event_id="z"), step("processing", MONDAY, event_id="a")])
    assert (await row(pool, "event_outcomes"))["action_type"] == "processing"


# all of them


async def test_every_view_and_column_is_explained(pool: Pool) -> None:
    silent = await pool.fetch("""
        SELECT c.relname, a.attname
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid
        WHERE c.relkind = 'v' AND c.relnamespace = 'public'::regnamespace
          AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL)
    """)
    assert [tuple(each) for each in silent] == []


async def test_the_views_do_not_read_the_events_of_persons_and_subscriptions(pool: Pool) -> None:
    for view in VIEWS:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL enable_seqscan = off")
            plan = "\n".join(each[0] for each in await connection.fetch(f"EXPLAIN SELECT * FROM {view}"))  # noqa: S608
        # Either all the others, or by what they are about: indexes none of the four types is in.
        assert re.search("callback_type_company_key_idx|company_key_(coalesce|read_text)", plan)
        assert "Seq Scan on callback_events_" not in plan
