"""What becomes of a batch when some of it cannot be applied."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any
from uuid import UUID

import pytest

from runtime.postgres import Pool, create_pool
from schemas.facts import Fact, PersonIdentity
from tests.support.applying import apply_bodies, apply_message, message
from tests.support.bodies import encoded, person_body, subscription_body
from tests.support.pipeline import story
from workers.apply.reading import Outcome
from workers.mirror import store
from workers.mirror.fold import State, fold


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "test", min_size=0, max_size=4) as pool:
        yield pool


async def test_a_callback_that_trips_over_a_bug_is_set_aside_alone(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fold_with_a_bug(facts: Iterable[Fact], person_uids: Mapping[PersonIdentity, UUID]) -> State:
        facts = list(facts)
        if any(fact.person.person_id == "P7" for fact in facts):
            raise ZeroDivisionError
        return fold(facts, person_uids)

    monkeypatch.setattr(store, "fold", fold_with_a_bug)
    outcomes = await apply_bodies(pool, story(40))
    assert outcomes.count(Outcome.DEAD_LETTERED) == 1
    assert outcomes[7] is Outcome.DEAD_LETTERED
    assert outcomes.count(Outcome.APPLIED) == 39
    (dead,) = await pool.fetch("SELECT reason, detail, body FROM dead_letters")
    assert (dead["reason"], dead["detail"]) == ("internal_error", "ZeroDivisionError")
    assert dead["body"] == story(1, start=7)[0]


async def test_a_message_dealt_with_before_is_skipped_as_a_whole(pool: Pool) -> None:
    told = message(story(3))
    assert await apply_message(pool, told) == [Outcome.APPLIED] * 3
    assert await apply_message(pool, told) == []
    assert await apply_message(pool, told, message(story(1))) == [Outcome.DUPLICATE]


async def test_one_message_twice_in_a_batch_counts_once(pool: Pool) -> None:
    told = message(story(2))
    assert await apply_message(pool, told, told) == [Outcome.APPLIED] * 4  # two receipts, each asked for twice
    assert await pool.fetchval("SELECT sum(applied) FROM callback_messages") == 2


async def test_the_same_id_with_another_body_is_kept_flagged_and_applied(pool: Pool) -> None:
    first, second = encoded(subscription_body(list_id="L1")), encoded(subscription_body(list_id="L2"))
    assert await apply_bodies(pool, [first], [second], [first, second]) == [
        Outcome.APPLIED,
        Outcome.APPLIED,
        Outcome.DUPLICATE,
        Outcome.DUPLICATE,
    ]
    rows = await pool.fetch("SELECT list_id, variant FROM callback_events ORDER BY list_id")
    assert [tuple(row) for row in rows] == [("L1", False), ("L2", True)]


async def test_a_redelivery_that_only_counts_its_attempts_is_a_duplicate(pool: Pool) -> None:
    attempts = [encoded({**subscription_body(), "delivery_attempt": str(number)}) for number in (1, 2, 3)]
    assert await apply_bodies(pool, attempts) == [Outcome.APPLIED, Outcome.DUPLICATE, Outcome.DUPLICATE]


async def test_nul_characters_are_applied_and_the_body_is_kept_byte_for_byte(pool: Pool) -> None:
    body = encoded(person_body(custom_fields={"note": "a\x00b"}))
    assert await apply_bodies(pool, [body]) == [Outcome.APPLIED]
    row = await pool.fetchrow(
        "SELECT payload #>> '{person,custom_fields,note}' AS note, original_body FROM callback_events"
    )
    assert row is not None
    assert (row["note"], row["original_body"]) == ("a\ufffdb", body)


@pytest.mark.parametrize(
    "person",
    [
        {"custom_fields": {"n": 10**400}},
        {"custom_fields": {"deep": {}}},
        {"timezone": "x" * 100_000},
        {"mobile_phone": {"mdn": "9" * 500}},
        {"updated_at": "9999-12-31T23:59:59Z"},
        {"updated_at": "0001-01-01T00:00:00Z"},
    ],
)
async def test_extreme_values_are_applied_or_set_aside_and_never_hold_up_their_mates(
    pool: Pool, person: dict[str, Any]
) -> None:
    import json

    body = json.dumps(person_body(event_id="odd", **person)).encode()
    outcomes = await apply_bodies(pool, [*story(5), body, *story(5, start=5)])
    assert outcomes[5] in (Outcome.APPLIED, Outcome.QUARANTINED, Outcome.DEAD_LETTERED)
    assert [*outcomes[:5], *outcomes[6:]] == [Outcome.APPLIED] * 10


async def test_a_person_who_comes_back_is_subscribed_again_and_a_late_opt_in_does_not_bring_them_back(
    pool: Pool,
) -> None:
    def stay(kind: str, event_id: str, opt_in: str, opt_out: str | None = None) -> bytes:
        return encoded(subscription_body(kind, event_id=event_id, opt_in_date=opt_in, opt_out_date=opt_out))

    async def subscribed() -> int:
        return int(await pool.fetchval("SELECT count(*) FROM current_subscriptions"))

    await apply_bodies(pool, [stay("removed", "e1", "2024-01-01T00:00:00Z", "2024-03-01T00:00:00Z")])
    await apply_bodies(pool, [stay("added", "e2", "2024-01-01T00:00:00Z")])
    assert await subscribed() == 0
    await apply_bodies(pool, [stay("added", "e3", "2024-02-01T00:00:00Z")])
    assert await subscribed() == 0, "an opt-in from before the opt-out"
    await apply_bodies(pool, [stay("added", "e4", "2024-03-01T00:00:00Z")])
    assert await subscribed() == 0, "on a tie the opt-out wins"
    await apply_bodies(pool, [stay("added", "e5", "2024-04-01T00:00:00Z")])
    assert await subscribed() == 1


async def test_a_new_opt_in_of_an_unknown_person_puts_one_row_into_the_outbox_however_often_it_is_told(
    pool: Pool,
) -> None:
    await apply_bodies(pool, story(60), story(60))
    rows = await pool.fetch("SELECT status, desired_version FROM person_sync")
    assert {row["status"] for row in rows} == {"pending"}
    # Persons with an opt-in among the first 60 events: every third event is an opt-out.
    assert len(rows) == len({number % 50 for number in range(60) if number % 3})
