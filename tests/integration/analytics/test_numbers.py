"""The views' numbers are those of the simulator's ledger, though events came late, twice and out of order."""

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from runtime.postgres import Pool
from tests.integration.analytics.conftest import Year
from tests.support import reckoning
from tests.support.analytics import COMPANY
from tests.support.reckoning import Stay


@pytest.fixture
def stays(year: Year) -> list[Stay]:
    return reckoning.stays_of(year.ledger, year.told)


@pytest.fixture
async def person_ids(pool: Pool) -> dict[Any, str]:
    """Which person Vibes means, by our own id."""
    return dict(map(tuple, await pool.fetch("SELECT person_uid, person_id FROM analytics.persons_current")))


async def rows(pool: Pool, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await pool.fetch(query)]


def test_the_year_has_duplicates_and_disorder_in_it(year: Year) -> None:
    received = sorted(year.told.events.values(), key=lambda each: each.received_at)
    assert year.told.duplicates > 100
    assert sum(1 for one, next_ in pairwise(received) if one.at > next_.at) > 10


async def test_subscribers_are_those_whose_last_stay_has_not_ended(
    pool: Pool, stays: list[Stay], person_ids: dict[Any, str]
) -> None:
    shown = await rows(pool, "SELECT person_uid, list_id, opt_in_date FROM analytics.current_subscribers")
    expected = Counter((stay.person_id, stay.list_id, stay.begin) for stay in stays if stay.end is None)
    assert Counter((person_ids[uid], list_id, begin) for uid, list_id, begin in shown) == expected


async def test_every_stay_is_there_from_opt_in_to_opt_out(
    pool: Pool, stays: list[Stay], person_ids: dict[Any, str]
) -> None:
    shown = await rows(
        pool,
        "SELECT person_uid, list_id, opt_in_date, opt_out_date, opt_out_reason, acquisition_campaign_id "
        "FROM analytics.subscription_stays WHERE NOT in_doubt AND open = (opt_out_date IS NULL)",
    )
    assert Counter((person_ids[uid], *rest) for uid, *rest in shown) == Counter(tuple(stay) for stay in stays)


async def test_opt_ins_and_opt_outs_are_counted_by_day_list_campaign_and_reason(pool: Pool, stays: list[Stay]) -> None:
    shown: Counter[tuple[Any, ...]] = Counter()
    for *key, opt_ins, opt_outs in await rows(
        pool,
        "SELECT day, list_id, acquisition_campaign_id, opt_out_reason, opt_ins, opt_outs "
        "FROM analytics.opt_ins_and_opt_outs_daily",
    ):
        shown += Counter({(*key, "in"): opt_ins, (*key, "out"): opt_outs})
    assert shown == reckoning.daily(stays)


async def test_lists_grow_and_shrink_as_people_come_and_go(pool: Pool, stays: list[Stay]) -> None:
    shown = await rows(
        pool, "SELECT list_id, day, subscribers, net_growth, opt_ins - opt_outs FROM analytics.list_growth"
    )
    assert {(list_id, day): size for list_id, day, size, *_ in shown} == reckoning.growth(stays)
    assert all(net == difference for *_, net, difference in shown)


async def test_cohorts_survive_as_long_as_their_stays_last(pool: Pool, stays: list[Stay]) -> None:
    shown = await rows(
        pool,
        "SELECT list_id, acquisition_campaign_id, cohort_month, months_since_opt_in, cohort_size, survivors, "
        "survival_rate "
        "FROM analytics.list_churn",
    )
    expected = reckoning.churn(stays, datetime.now(UTC))
    assert {tuple(key): (size, left) for *key, size, left, _ in shown} == expected
    assert all(rate == left / size for *_, size, left, rate in shown)


async def test_reasons_are_counted_by_month_and_known_ones_are_explained(pool: Pool, stays: list[Stay]) -> None:
    query = "SELECT list_id, month, opt_out_reason, opt_outs, share, meaning FROM analytics.opt_out_reasons"
    shown = await rows(pool, query)
    ended = [stay for stay in stays if stay.end is not None]
    months = Counter((stay.list_id, stay.end.date().replace(day=1), stay.reason) for stay in ended if stay.end)
    assert {tuple(key): count for *key, count, _, _ in shown} == months
    for list_id, month, _, count, share, _ in shown:
        together = sum(each for key, each in months.items() if key[:2] == (list_id, month))
        assert share == pytest.approx(count / together)
    assert {reason for _, _, reason, _, _, meaning in shown if meaning is None} <= {"a_reason_added_in_future"}


async def test_the_time_to_opt_out_is_that_of_the_stays_that_ended(pool: Pool, stays: list[Stay]) -> None:
    shown = await rows(
        pool,
        "SELECT list_id, opt_out_reason, opt_outs, within_30_days, mean_days, median_days FROM "
        "analytics.time_to_opt_out",
    )
    found = {(list_id, reason): (n, soon, round(mean, 6), median) for list_id, reason, n, soon, mean, median in shown}
    assert found == reckoning.lengths(stays)


async def test_those_who_came_back_are_known_with_when_and_why_they_had_left(
    pool: Pool, stays: list[Stay], person_ids: dict[Any, str]
) -> None:
    shown = await rows(
        pool,
        "SELECT list_id, person_uid, return_number, left_at, left_reason, returned_at, left_again_at "
        "FROM analytics.resubscribers",
    )
    expected = reckoning.returns(stays)
    assert expected
    assert Counter((list_id, person_ids[uid], *rest) for list_id, uid, *rest in shown) == Counter(expected)


async def test_persons_are_as_vibes_has_them(pool: Pool, year: Year) -> None:
    shown = await rows(
        pool, "SELECT person_id, external_person_id, mdn, timezone, carrier_code FROM analytics.persons_current"
    )
    fields = ("person_id", "external_person_id", "mdn", "timezone", "carrier_code")
    announced = [line for line in year.ledger if line["kind"] == "person" and line["announced"]]
    assert {tuple(line[name] for name in fields) for line in announced} <= set(shown)
    named = {line["person_id"] for line in year.ledger if line["kind"] == "person" and line["referenced"]}
    assert {person_id for person_id, *_ in shown} <= named


async def test_a_persons_history_is_all_that_was_told_of_them(pool: Pool, year: Year) -> None:
    shown = await rows(
        pool,
        "SELECT p.person_id, h.event_id FROM analytics.person_history AS h "
        "JOIN analytics.persons_current AS p USING (person_uid) "
        "WHERE callback_type LIKE 'subscription_%' OR callback_type LIKE 'person_%'",
    )
    expected = [
        (body["subscription"]["person"]["id"], body["event_id"])
        for _, _, body in year.told.of("subscription_added", "subscription_removed")
    ] + [(body["person"]["person_id"], body["event_id"]) for _, _, body in year.told.of("person_")]
    assert Counter(shown) == Counter(expected)


async def test_sign_ups_are_counted_once_whichever_callbacks_tell_of_them(pool: Pool, year: Year) -> None:
    expected = reckoning.sign_ups(year.told)
    shown = await rows(
        pool,
        "SELECT person_id, campaign_id, participation_date, status, keyword, outcome FROM analytics.participations",
    )
    assert {tuple(key): (status, keyword) for *key, status, keyword, _ in shown} == expected
    assert len(shown) == len(expected)
    outcomes = {"PENDING": "expired", "CONFIRMED": "confirmed", "SUBSCRIBED": "confirmed", "REJECTED": "rejected"}
    assert all(outcomes[status] == outcome for *_, status, _, outcome in shown)

    funnel = Counter[tuple[Any, ...]]()
    for (_, campaign, began), (status, keyword) in expected.items():
        funnel[began.date(), campaign, keyword, outcomes[status]] += 1
    counted = Counter[tuple[Any, ...]]()
    for *key, confirmed, rejected, expired, together in await rows(
        pool,
        "SELECT day, campaign_id, keyword, confirmed, rejected, expired, sign_ups FROM analytics.participation_funnel",
    ):
        assert together == confirmed + rejected + expired
        counted += Counter({(*key, "confirmed"): confirmed, (*key, "rejected"): rejected, (*key, "expired"): expired})
    assert counted == funnel


async def test_devices_and_passes_are_where_they_were_last(pool: Pool, year: Year) -> None:
    devices = await rows(pool, "SELECT vibes_device_id, person_id, attached FROM analytics.push_devices")
    assert {device: (person, attached) for device, person, attached in devices} == reckoning.devices(year.told)

    passes = await rows(pool, "SELECT item_uuid, installed FROM analytics.wallet_items")
    assert dict(passes) == reckoning.passes(year.told)


async def test_lists_have_the_size_and_the_end_that_the_ledger_has(pool: Pool, year: Year, stays: list[Stay]) -> None:
    shown = await rows(pool, "SELECT list_id, subscribers, archived_at IS NOT NULL FROM analytics.subscription_lists")
    sizes = Counter(stay.list_id for stay in stays if stay.end is None)
    assert all(size == sizes[list_id] for list_id, size, _ in shown)
    archived = {stay.list_id for stay in stays if stay.reason == "list_archived"}
    assert {list_id for list_id, _, ended in shown if ended} == archived
    assert archived <= {line["list_id"] for line in year.ledger if line["kind"] == "list" and line["archived"]}


async def test_messages_and_submitted_events_are_all_there(pool: Pool, year: Year) -> None:
    messages = {body["message_id"]: body["message"] for _, _, body in year.told.of("unmatched_message")}
    assert dict(await rows(pool, "SELECT message_id, message FROM analytics.inbound_messages")) == messages

    steps: Counter[str] = Counter()
    ends: dict[str, datetime] = {}
    for _, at, body in year.told.of("event_processed"):
        steps[body["event_processed"]["event_id"]] += 1
        ends[body["event_processed"]["event_id"]] = at
    shown = await rows(pool, "SELECT submitted_event_id, steps, event_date FROM analytics.event_outcomes")
    assert {event: count for event, count, _ in shown} == steps
    assert {event: at.replace(microsecond=0) for event, _, at in shown} == {
        event: at.replace(microsecond=0) for event, at in ends.items()
    }


async def test_callbacks_are_counted_by_hour_type_and_outcome(pool: Pool, year: Year) -> None:
    shown = await rows(
        pool, "SELECT hour, callback_type, callbacks FROM analytics.callback_volume WHERE outcome = 'applied'"
    )
    assert {(hour, kind): count for hour, kind, count in shown} == reckoning.volume(year.told)
    ((duplicates,),) = await rows(
        pool, "SELECT sum(callbacks) FROM analytics.callback_volume WHERE outcome = 'duplicate'"
    )
    assert duplicates == year.told.duplicates


async def test_delays_are_those_of_first_deliveries(pool: Pool, year: Year) -> None:
    shown = await rows(
        pool,
        "SELECT day, sum(events), sum(within_1_minute), max(max_seconds) FROM analytics.delivery_delay GROUP BY day",
    )
    found = {day: (int(events), int(soon), round(longest, 3)) for day, events, soon, longest in shown}
    expected = reckoning.delays(year.told)
    assert {day: counts[:2] for day, counts in found.items()} == {day: counts[:2] for day, counts in expected.items()}
    for day, (_, _, longest) in expected.items():
        assert found[day][2] == pytest.approx(longest, abs=0.002)


async def test_calls_are_counted_by_what_came_of_them(pool: Pool) -> None:
    shown = await rows(pool, "SELECT outcome, calls, retries FROM analytics.person_api_outcomes")
    counted = Counter[str]()
    for outcome, calls, _ in shown:
        counted[outcome] += calls
    assert counted == {"done": 3, "not_found": 1, "failed": 1, "throttled": 1}
    assert sum(retries for *_, retries in shown) == 1


async def test_freshness_tells_the_last_receipt_and_that_everything_is_added_up(pool: Pool, year: Year) -> None:
    ((company, received, open_letters, complete),) = await rows(
        pool,
        "SELECT company_key, last_received_at, open_dead_letters, as_of > last_applied_at FROM "
        "analytics.data_freshness",
    )
    assert (company, open_letters, complete) == (COMPANY, 0, True)
    assert received == max(each.received_at for each in year.told.events.values())
