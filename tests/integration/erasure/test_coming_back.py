"""What comes after an erasure: nothing late brings the person back, something new does."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.postgres import statement
from tests.integration.erasure.world import ANN, BEN, LATER, World, bodies_about, profile, reference, stamp, subscribed
from tests.support.applying import apply_bodies, apply_message, message
from tests.support.bodies import encoded, subscription_body
from workers.apply.reading import Outcome

ERASE = ("--external-id", ANN["external_person_id"])


async def test_a_redelivery_is_a_duplicate(world: World) -> None:
    await world.settle(ANN)
    await world.erase(*ERASE)
    outcomes = await apply_bodies(world.pool, bodies_about(ANN)[:10])
    assert outcomes == [Outcome.DUPLICATE] * 10
    assert await world.traces_of(ANN) == []


async def test_the_same_events_with_other_bodies_are_receipts_and_no_more(world: World) -> None:
    await world.settle(ANN)
    await world.erase(*ERASE)
    outcomes = await world.tell(
        subscribed(ANN, "Ann1", "L1", acquisition_campaign={"id": "C9"}),
        profile(ANN, "Ann2", timezone="US/Eastern"),
    )
    assert outcomes == [Outcome.APPLIED] * 2
    assert await world.traces_of(ANN) == []
    assert await world.count("persons") == await world.count("person_sync") == 0
    assert set(await world.types()) == {"erased"}


def late_events() -> list[dict[str, Any]]:
    mdn = ANN["mdn"]
    by_number = {"participant": {"mdn": mdn}, "event_date": "2024-03-01T00:00:00Z"}
    return [
        subscribed(ANN, "late1", "L9"),
        profile(ANN, "late2"),
        subscription_body("removed", event_id="late3", person=reference(ANN), list_id="L9"),
        # A stay that began before, told about after: Vibes ends stays of a number that is gone.
        {
            **subscription_body("removed", event_id="late4", person=reference(ANN), list_id="L8"),
            "event_date": stamp(LATER),
        },
        {"callback_type": "unmatched_message_received", "event_id": "late5", **by_number},
        {"callback_type": "unmatched_message_received", "event_id": "late6", "participant": {"mdn": mdn}},
        {
            "callback_type": "event_processed",
            "event_id": "late7",
            "event_date": "2024-03-01T00:00:00Z",
            "event_processed": {"event_data": {"mdn": mdn[1:]}},
        },
        {
            "callback_type": "ack_participant_added",
            "event_id": "late8",
            "event_date": "2024-03-01T00:00:00Z",
            "participant": {"person": {"id": "never-seen", "mobile_phone": {"mdn": mdn[2:]}}},
        },
        # By an id Vibes has not used for her before.
        profile({**ANN, "person_id": "61111111"}, "late9"),
    ]


async def test_older_events_never_seen_before_are_receipts_and_no_more(world: World) -> None:
    await world.settle(ANN)
    await world.erase(*ERASE)
    outcomes = await world.tell(*late_events())
    assert outcomes == [Outcome.APPLIED] * len(late_events())
    assert await world.traces_of(ANN) == []
    assert await world.count("persons") == await world.count("subscriptions") == await world.count("person_sync") == 0
    assert await world.traces("61111111", "never-seen") == []


async def test_the_echo_of_the_nullification_brings_no_row_back(world: World) -> None:
    await world.settle(ANN)
    await world.erase(*ERASE)
    nulls = {"external_person_id": None, "mobile_phone": {"mdn": None}, "custom_fields": {"first_name": None}}
    updated_at = world.vibes.persons[ANN["person_key"]]["updated_at"]
    echo = {**profile(ANN, "echo", **nulls, updated_at=updated_at), "event_date": stamp(LATER)}
    assert await world.tell(echo) == [Outcome.APPLIED]
    assert await world.count("persons") == 0
    assert await world.traces_of(ANN) == []


async def test_vibes_clock_ahead_of_ours_is_no_way_back(world: World) -> None:
    await world.settle(ANN)
    ahead = datetime.now(UTC) + timedelta(minutes=2)
    decide = world.vibes._decide

    def decide_ahead(asked: Any) -> Any:
        answer = decide(asked)
        if asked.method == "PUT":
            world.vibes.persons[ANN["person_key"]]["updated_at"] = stamp(ahead)
        return answer

    world.vibes._decide = decide_ahead  # type: ignore[method-assign] # the stand-in, with another clock
    await world.erase(*ERASE)
    await world.tell(profile(ANN, "echo", updated_at=stamp(ahead)))
    assert await world.count("persons") == 0


async def test_a_new_opt_in_after_the_erasure_is_applied(world: World) -> None:
    await world.settle(ANN)
    await world.erase(*ERASE)
    new = {**subscribed(ANN, "new1", opt_in_date=stamp(LATER)), "event_date": stamp(LATER)}
    assert await world.tell(new) == [Outcome.APPLIED]
    assert await world.count("current_subscriptions") == 1
    assert await world.count("person_sync") == 1
    # and what is older still is not, in whatever order it comes
    await world.tell(profile(ANN, "old1"), subscribed(ANN, "old2", "L7"))
    assert await world.count("subscriptions") == 1
    assert await world.pool.fetchval("SELECT profile_at FROM persons") is None


async def test_a_change_of_the_crm_counts_if_it_is_newer(world: World) -> None:
    await world.settle(ANN)
    await world.erase(*ERASE)
    await world.crm_change(ANN, datetime(2024, 1, 1, tzinfo=UTC))
    assert await world.count("crm_persons") == 0
    await world.crm_change(ANN, LATER)
    assert await world.count("crm_persons") == 1


async def test_an_event_that_was_being_applied_when_the_erasure_began_is_erased_with_the_rest(world: World) -> None:
    await world.settle(ANN)
    # given an apply transaction under way: it has read that nobody is erased
    async with world.pool.acquire() as applying:
        under_way = applying.transaction()
        await under_way.start()
        await applying.execute(statement("lock_identities"), ["acme"], False)
        await applying.execute(
            "INSERT INTO subscriptions (company_key, person_uid, list_id, opt_in_date) "
            "SELECT company_key, person_uid, 'L99', now() FROM persons"
        )
        async with world.command("persons", "erase", *ERASE, "--yes") as process:
            await world.waits_for_a_lock()
            assert await world.status() == "requested"
            await under_way.commit()
            assert await process.wait() == 0
    assert await world.count("subscriptions") == 0
    assert await world.traces_of(ANN) == []


async def test_erasing_under_the_load_of_apply_workers(world: World) -> None:
    await world.settle(ANN, BEN)
    stop = asyncio.Event()

    async def work(number: int) -> int:
        rounds = 0
        while not stop.is_set():
            rounds += 1
            event = f"load-{number}-{rounds}"
            await apply_message(
                world.pool,
                message(
                    encoded(body)
                    for body in (
                        subscribed(ANN, f"{event}-a", f"L{number}"),
                        profile(ANN, f"{event}-p", updated_at=f"2024-02-01T00:{rounds % 60:02}:00Z"),
                        subscribed(BEN, f"{event}-b", f"L{number}"),
                    )
                ),
            )
        return rounds

    workers = [asyncio.create_task(work(number)) for number in range(3)]
    try:
        erasure = await world.erase(*ERASE)
    finally:
        stop.set()
        rounds = await asyncio.gather(*workers)
    assert erasure["status"] == "done"
    assert all(rounds)
    assert await world.traces_of(ANN) == []
    assert await world.pool.fetchval("SELECT array_agg(person_key) FROM persons") == [BEN["person_key"]]


@pytest.mark.parametrize("rows", [30_000])
async def test_a_long_log_is_read_in_bounded_transactions(world: World, rows: int) -> None:
    await world.settle(ANN)
    await world.pool.execute("SELECT create_month_partitions('callback_events', '2024-03-01', 2)")
    # Every hundredth event is hers.
    await world.pool.execute(
        "INSERT INTO callback_events (company_key, callback_type, event_id, event_date, received_at, person_id, "
        "payload, endpoint, message_id, position) "
        "SELECT 'acme', 'person_updated', n::text, now(), '2024-03-15'::timestamptz + n * interval '1 minute', "
        "CASE WHEN n % 100 = 0 THEN $1 ELSE 'P' || n END, jsonb_build_object('filler', repeat(md5(n::text), 40)), "
        "'main', gen_random_uuid(), 0 FROM generate_series(1, $2::integer) AS n",
        ANN["person_id"],
        rows,
    )
    erasure = await world.erase(*ERASE)
    assert erasure["counts"]["callback_events"] == 10 + rows // 100
    assert await world.traces_of(ANN) == []
    # xmin tells which transaction wrote a row: no one wrote many of them
    most = await world.pool.fetchval(
        "SELECT count(*) FROM callback_events WHERE callback_type = 'erased' GROUP BY xmin ORDER BY 1 DESC LIMIT 1"
    )
    assert most <= rows // 200
