"""What becomes of changes of the CRM in the database, whatever their order, their batches and their content."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.companies import Companies
from runtime.postgres import Pool, create_pool
from schemas.crm_change import CrmChange, read_change
from tests.support.applying import COMPANIES, clear
from tests.support.crm import (
    T0,
    apply_changes,
    apply_messages,
    change,
    crm_message,
    fields,
    records,
)
from workers.crm.row import record_in
from workers.erasure.identifiers import EXTERNAL_PERSON_ID, tombstone

ids = st.sampled_from(["x", "y", "ü/% 1"])
moments = st.integers(0, 2).map(lambda hours: T0 + timedelta(hours=hours))


def sendable(fields: dict[str, Any]) -> bool:
    """Whether a message can hold the fields: it has no numbers beyond 64 bits."""
    try:
        orjson.dumps(fields)
    except TypeError:
        return False
    return True


changes_ = st.builds(CrmChange, ids, moments, fields.filter(sendable))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "test", min_size=0, max_size=5) as pool:
        yield pool


async def stored(pool: Pool, batches: list[list[CrmChange]]) -> list[dict[str, Any]]:
    """Return what an empty database holds after these batches."""
    await clear(pool)
    for batch in batches:
        await apply_changes(pool, *batch)
    return await records(pool)


def cut(items: list[CrmChange], size: int) -> list[list[CrmChange]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def test_any_order_repetition_and_batching_of_changes_gives_the_same_rows(database_url: str) -> None:
    with asyncio.Runner() as runner:
        pool = runner.run(connect(database_url))

        @settings(
            max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
        )
        @given(told=st.lists(changes_, min_size=1, max_size=7), data=st.data())
        def check(told: list[CrmChange], data: st.DataObject) -> None:
            shuffled = data.draw(st.permutations(told + told[: len(told) // 2]))
            one_by_one = runner.run(stored(pool, [[item] for item in told]))
            assert runner.run(stored(pool, cut(shuffled, data.draw(st.integers(1, 5))))) == one_by_one
            # What was stored looks the same when it is read, or it would be taken for another value.
            assert set(runner.run(apply_changes(pool, *told))) == {"unchanged"}

        try:
            check()
        finally:
            runner.run(pool.close())


async def connect(database_url: str) -> Pool:
    return await create_pool(database_url, "test", min_size=0, max_size=4)


async def test_workers_that_store_changes_of_the_same_records_at_once_do_not_deadlock_and_converge(pool: Pool) -> None:
    chance = random.Random(7)
    told = [
        change(f"p{chance.randrange(40)}", chance.randrange(20), **{f"f{chance.randrange(4)}": chance.randrange(5)})
        for _ in range(2400)
    ]
    alone = await stored(pool, [told])
    assert len(alone) == 40

    await clear(pool)

    # Each change only once: what one worker overwrote, no other would mend.
    async def work(mine: list[CrmChange]) -> None:
        for batch in cut(mine, 30):
            await apply_changes(pool, *batch)

    await asyncio.gather(*(work(told[worker::4]) for worker in range(4)))
    assert await records(pool) == alone
    assert await pool.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


async def test_an_older_change_never_overwrites_a_newer_one_and_still_tells_what_is_new(pool: Pool) -> None:
    assert await apply_changes(pool, change("p", 2, city="Rome")) == ["changed"]
    assert await apply_changes(pool, change("p", 1, city="Oslo"), change("p", 1, name="Ann")) == [
        "unchanged",
        "changed",
    ]
    (row,) = await records(pool)
    assert orjson.loads(row["custom_fields"]) == {"city": "Rome", "name": "Ann"}
    assert row["updated_at"] == T0 + timedelta(hours=2)


async def test_a_change_that_tells_no_field_makes_the_record_and_raises_its_time(pool: Pool) -> None:
    assert await apply_changes(pool, change("p", 1)) == ["changed"]
    assert await apply_changes(pool, change("p", 5), change("p", 3)) == ["unchanged", "unchanged"]
    (row,) = await records(pool)
    assert (row["updated_at"], row["custom_fields"], row["mdn"]) == (T0 + timedelta(hours=5), "{}", None)


async def test_a_removed_field_stays_as_null_and_numbers_keep_their_digits(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO crm_persons (company_key, external_person_id, mdn, mdn_e164, custom_fields, updated_at) "
        "VALUES ('acme', 'p', '0171 1234567', '+491711234567', $1, $2)",
        '{"points": 12345678901234567890123.10, "city": "Rome"}',
        T0,
    )
    await apply_changes(pool, change("p", 1, city=None))
    (row,) = await records(pool)
    assert row["custom_fields"] == '{"city": null, "points": 12345678901234567890123.10}'
    assert row["mdn_e164"] == "+491711234567", "whoever wrote the number knew its country"
    await apply_changes(pool, change("p", 2, mdn="(312) 555-0100"))
    (row,) = await records(pool)
    assert (row["mdn"], row["mdn_e164"]) == ("(312) 555-0100", "+13125550100")
    assert orjson.loads(row["field_times"])["custom_fields.points"] == "2024-01-01T00:00:00+00:00"


async def test_a_select_object_is_the_same_whatever_the_order_of_its_keys(pool: Pool) -> None:
    await apply_changes(pool, change("p", 1, colour={"id": 7, "name": "Red", "option_key": None}))
    assert await apply_changes(pool, change("p", 1, colour={"option_key": None, "name": "Red", "id": 7})) == [
        "unchanged"
    ]


BAD = {
    "a NUL in a custom field": change("bad", 0, note="a\x00b"),
    "a NUL in a name": change("bad", 0, **{"a\x00b": "c"}),
    "a NUL in the number": change("bad", 0, mdn="+1312555\x000100"),
    "a NUL in the id": change("b\x00d", 0, note="a"),
    "an id no index holds": change("".join(random.Random(1).choices("abcdefghijklmnop0123456789", k=9000)), 0),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_change_the_database_refuses_is_set_aside_alone(pool: Pool, name: str) -> None:
    good = [change(f"p{number}", 0, name=f"{number}") for number in range(499)]
    body = crm_message([*good[:250], BAD[name], *good[250:]])
    assert await apply_messages(pool, body) == ["changed"] * 250 + ["dead_lettered"] + ["changed"] * 249
    assert len(await records(pool)) == 499
    (dead,) = await pool.fetch("SELECT * FROM dead_letters")
    assert (dead["company_key"], dead["kind"], dead["stage"]) == ("acme", "dead_lettered", "crm")
    assert (dead["reason"], dead["position"]) == ("refused_by_database", 250)
    assert dead["received_at"] is not None
    assert orjson.loads(dead["body"])["external_person_id"] == BAD[name].external_person_id
    assert await apply_messages(pool, body) == ["unchanged"] * 250 + ["dead_lettered"] + ["unchanged"] * 249
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 1, "a redelivery is no second dead letter"


async def test_a_change_no_release_of_ours_sends_is_set_aside_alone(pool: Pool) -> None:
    foreign = CrmChange("p", T0, {"timezone": "US/Central", "custom_fields.city": "Rome"})
    assert await apply_changes(pool, foreign, change("p", 1, city="Oslo")) == ["dead_lettered", "changed"]
    (dead,) = await pool.fetch("SELECT reason, body FROM dead_letters")
    assert dead["reason"] == "unknown_field"
    assert orjson.loads(dead["body"]) == {
        "external_person_id": "p",
        "timezone": "US/Central",
        "custom_fields": {"city": "Rome"},
        "updated_at": "2024-01-01T00:00:00+00:00",
    }


async def test_a_dead_letter_can_be_sent_to_the_intake_again(pool: Pool) -> None:
    sent = change("bad", 3, mdn="+13125550100", carrier_code=None, note="a\x00b", colour={"id": 1, "name": "Red"})
    await apply_changes(pool, sent)
    body = await pool.fetchval("SELECT body FROM dead_letters")
    mended = orjson.loads(body.replace(b"\\u0000", b"-"))
    assert read_change(mended, T0 + timedelta(days=1)) == change(
        "bad", 3, mdn="+13125550100", carrier_code=None, note="a-b", colour={"id": 1, "name": "Red"}
    )


async def outbox(pool: Pool) -> dict[str, dict[str, Any]]:
    rows = await pool.fetch("SELECT *, extract(epoch FROM next_attempt_at - now()) AS due_in FROM person_sync")
    return {row["external_person_id"]: dict(row) for row in rows}


async def test_an_altered_record_is_put_into_the_outbox_due_after_the_companys_delay(pool: Pool) -> None:
    await apply_changes(pool, change("p", 0, city="Rome"), change("q", 0))
    due = await outbox(pool)
    assert due.keys() == {"p", "q"}
    assert (due["p"]["status"], due["p"]["desired_version"], due["p"]["bulk"]) == ("postponed", 1, False)
    assert 0.5 < due["p"]["due_in"] <= 2.0, "the default delay"


async def test_a_record_that_was_not_altered_asks_for_nothing(pool: Pool) -> None:
    first = change("p", 1, city="Rome")
    await apply_changes(pool, first)
    told_again = [first, change("p", 0, city="Oslo"), change("p", 5, city="Rome"), change("p", 6)]
    assert await apply_changes(pool, *told_again) == ["unchanged"] * 4
    assert (await outbox(pool))["p"]["desired_version"] == 1
    (row,) = await records(pool)
    assert row["updated_at"] == T0 + timedelta(hours=6)
    assert await apply_changes(pool, change("p", 4, city="Oslo")) == ["unchanged"], "Rome was told again at 5"


@pytest.mark.parametrize("status", ["conflict", "resolved", "synced"])
async def test_what_is_closed_is_due_again_only_if_the_record_was_altered(pool: Pool, status: str) -> None:
    await apply_changes(pool, change("p", 1, city="Rome"))
    await pool.execute("UPDATE person_sync SET status = $1, synced_version = desired_version", status)
    await apply_changes(pool, change("p", 1, city="Rome"), change("p", 0, city="Oslo"), change("p", 2, city="Rome"))
    assert (await outbox(pool))["p"]["status"] == status
    await apply_changes(pool, change("p", 3, city="Oslo"))
    assert (await outbox(pool))["p"]["status"] == "postponed"
    assert (await outbox(pool))["p"]["desired_version"] == 2


async def test_what_an_import_asks_for_is_bulk_until_something_live_asks_for_it_too(pool: Pool) -> None:
    async def is_bulk() -> bool:
        return bool((await outbox(pool))["p"]["bulk"])

    await apply_changes(pool, change("p", 1, a=1), bulk=True)
    assert await is_bulk()
    await apply_changes(pool, change("p", 1, a=1))
    assert await is_bulk(), "the live change told nothing new"
    await apply_changes(pool, change("p", 2, a=2))
    assert not await is_bulk()
    await apply_changes(pool, change("p", 3, a=3), bulk=True)
    assert not await is_bulk(), "it is still waiting for the live change"
    await pool.execute("UPDATE person_sync SET status = 'synced'")
    await apply_changes(pool, change("p", 4, a=4), bulk=True)
    assert await is_bulk()


async def test_one_batch_may_hold_live_changes_and_those_of_an_import(pool: Pool) -> None:
    imported = crm_message([change("both", 1, a=1), change("import", 1), change("stale", 1, a=1)], bulk=True)
    live = crm_message([change("both", 1, b=1), change("live", 1), change("stale", 0, a=2)])
    await apply_messages(pool, imported, live)
    assert {external: row["bulk"] for external, row in (await outbox(pool)).items()} == {
        "both": False,
        "import": True,
        "live": False,
        "stale": True,
    }


def companies(company_key: str = "acme", **values: Any) -> Companies:
    told = {**COMPANIES.companies[0].model_dump(exclude_unset=True), "company_key": company_key, **values}
    return Companies.model_validate({"companies": [told]})


@pytest.mark.parametrize(
    "configured",
    [
        companies(api_username=None, api_password_env=None),
        companies(sync={"push_crm_changes": False}),
        companies("another"),
    ],
    ids=["no credentials", "not wanted", "no longer configured"],
)
async def test_records_are_kept_although_nothing_is_to_be_written_to_vibes(pool: Pool, configured: Companies) -> None:
    await apply_messages(pool, crm_message([change("p", mdn="+13125550100")]), companies=configured)
    (row,) = await records(pool)
    assert (row["company_key"], row["mdn_e164"]) == ("acme", "+13125550100")
    assert await outbox(pool) == {}


async def test_companies_share_a_batch_and_nothing_else(pool: Pool) -> None:
    endpoints = [{"name": "main", "key_sha256": "1" * 64}]
    beta = companies("beta", default_country="DE", endpoints=endpoints)
    both = Companies(companies=(*COMPANIES.companies, *beta.companies))
    told = change("p", mdn="312 5550100")
    await apply_messages(pool, crm_message([told]), crm_message([told], company_key="beta"), companies=both)
    assert [(row["company_key"], row["mdn_e164"]) for row in await records(pool)] == [
        ("acme", "+13125550100"),
        ("beta", "+493125550100"),
    ]


async def test_a_person_who_was_erased_is_brought_back_only_by_a_later_change(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO erased_identities (company_key, identity, erased_at, erasure_id) VALUES ('acme', $1, $2, $3)",
        tombstone("acme", (EXTERNAL_PERSON_ID, "p")),
        T0 + timedelta(hours=5),
        uuid4(),
    )
    assert await apply_changes(pool, change("p", 4, a=1), change("p", 5, a=2)) == ["unchanged"] * 2
    assert await records(pool) == []
    assert await outbox(pool) == {}
    assert await apply_changes(pool, change("p", 5, a=1), change("p", 6, b=2), change("q", 0)) == [
        "unchanged",
        "changed",
        "changed",
    ]
    assert [orjson.loads(row["custom_fields"]) for row in await records(pool)] == [{"b": 2}, {}]


async def test_ten_thousand_changes_of_a_thousand_records_become_a_thousand_rows_of_the_outbox(pool: Pool) -> None:
    chance = random.Random(3)
    told = [change(f"person-{number % 1000}", number // 1000, visits=number // 1000) for number in range(10_000)]
    chance.shuffle(told)
    began = time.perf_counter()
    for batch in cut(told, 500):
        await apply_changes(pool, *batch)
    seconds = time.perf_counter() - began
    print(f"\n10,000 changes to 1,000 records: {seconds:.2f} s, {10_000 / seconds:,.0f}/s")  # noqa: T201 - a figure
    rows = await pool.fetch("SELECT * FROM crm_persons")
    assert len(rows) == 1000
    assert {record_in(dict(row)).fields["custom_fields.visits"][1] for row in rows} == {"9"}
    assert len(await outbox(pool)) == 1000
