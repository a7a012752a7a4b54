"""What a replay does to letters, the mirror, the log and the audit."""

import json
from pathlib import Path

import orjson

from schemas.broker_message import encode
from tests.integration.dead_letters.world import World
from tests.support.applying import message
from tests.support.bodies import encoded, person_body
from tests.support.crm import change, crm_message
from tests.support.pipeline import story


async def test_what_a_bug_had_refused_is_applied_under_its_old_receipt_and_the_audit_stays_balanced(
    world: World,
) -> None:
    bodies = story(12)
    good = await world.apply(*story(5, start=20))
    failed = await world.fail(*bodies)
    assert await world.outcomes(failed) == "x" * 12

    told = await world.json("replay", "--reason", "internal_error", "--by", "ann", "--note", "OPS-1")

    assert told["counts"] == {"applied": 12}
    assert (told["total"], told["finished"], told["by"]) == (12, True, "ann")
    assert await world.outcomes(failed) == "a" * 12
    counts, receipts = await world.audit(good, failed)
    assert counts == {"applied": 17, "duplicates": 0, "quarantined": 0, "dead_lettered": 0}
    assert (receipts.missing, receipts.inconsistent, receipts.checked) == ([], [], 17)
    logged = await world.pool.fetch("SELECT position FROM callback_events WHERE message_id = $1", failed.message_id)
    assert sorted(row["position"] for row in logged) == list(range(12))
    assert await world.count("subscriptions") > 0
    for letter in await world.letters():
        assert (letter["status"], letter["outcome"], letter["replayed_by"]) == ("replayed", "applied", "ann")
        assert letter["replays"] == 1


async def test_the_audit_agrees_by_count_and_by_receipts_before_and_after(
    world: World, amqp_url: str, tmp_path: Path
) -> None:
    refused = story(1, start=40)[0].replace(b'"L1"', b'"' + "x".join(map(str, range(3000))).encode() + b'"')
    failed = await world.fail(*story(5), *story(2), refused)
    mixed = await world.apply(b"{", *story(3, start=20))
    await world.pool.execute("UPDATE callback_messages SET acknowledged = 12")
    await world.pool.execute("UPDATE callback_account_changes SET acknowledged = 12")
    receipts = tmp_path / "receipts"
    receipts.write_text(
        "".join(f"{told.message_id}/{place}\n" for told in (failed, mixed) for place in range(len(told.callbacks)))
    )

    async def audit() -> dict[str, int]:
        options = ("--receipts", str(receipts), "--settle-seconds", "0", "--json")
        async with world.command(*options, group="audit", AMQP_URL=amqp_url) as process:
            out, err = await process.communicate()
        assert process.returncode == 0, (out + err).decode()
        outcomes: dict[str, int] = json.loads(out)["receipts"]["outcomes"]
        return outcomes

    assert await audit() == {"applied": 3, "duplicate": 0, "quarantined": 1, "dead_lettered": 8}
    await world.json("replay", "--all", exit_code=1)
    await world.json("discard", "--reason", "not_json", "--note", "x", "--remove-body")
    assert await audit() == {"applied": 8, "duplicate": 2, "quarantined": 1, "dead_lettered": 1}


async def test_a_replay_gives_the_state_that_applying_at_once_would_have_given(world: World) -> None:
    bodies = story(60)
    await world.fail(*bodies[::2])
    await world.apply(*bodies[1::2])
    await world.json("replay", "--all")
    query = "SELECT list_id, opt_in_date, opt_out_date FROM subscriptions ORDER BY 1, 2, 3"
    replayed = [tuple(row) for row in await world.pool.fetch(query)]
    for table in ("callback_events", "callback_ledger", "subscriptions", "persons", "person_identities"):
        await world.pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
    await world.apply(*bodies)
    assert [tuple(row) for row in await world.pool.fetch(query)] == replayed


async def test_deliveries_of_one_event_are_applied_once_and_the_others_are_duplicates(world: World) -> None:
    (body,) = story(1)
    first = await world.fail(body, body)
    second = await world.fail(body)
    trial = await world.json("replay", "--all", "--dry-run")
    assert trial["counts"] == {"applied": 1, "duplicate": 2}
    assert await world.count("callback_events") == 0
    assert (await world.json("replay", "--all"))["counts"] == {"applied": 1, "duplicate": 2}
    assert (await world.outcomes(first), await world.outcomes(second)) == ("ad", "d")
    counts, receipts = await world.audit(first, second)
    assert counts == {"applied": 1, "duplicates": 2, "quarantined": 0, "dead_lettered": 0}
    assert receipts.inconsistent == []


async def test_a_replay_that_fails_again_comes_back_to_the_same_letter_with_its_history(world: World) -> None:
    bodies = story(3)
    # Too long for an index: random, so that it cannot be compressed to fit.
    refused = bodies[1].replace(b'"L1"', b'"' + "x".join(map(str, range(3000))).encode() + b'"')
    failed = await world.fail(bodies[0], refused, bodies[2])

    told = await world.json("replay", "--all", exit_code=1)
    assert told["counts"] == {"applied": 2, "failed": 1}
    again = await world.json("replay", "--all", exit_code=1)
    assert again["counts"] == {"failed": 1}

    assert await world.outcomes(failed) == "axa"
    assert await world.count("dead_letters") == 3
    (letter,) = await world.letters("dead_letter_status(l) = 'open'")
    assert (letter["reason"], letter["replays"], letter["outcome"]) == ("refused_by_database", 2, None)
    assert letter["last_seen_at"] > letter["created_at"]
    assert letter["body"] == refused
    shown = await world.json("show", str(letter["id"]))
    assert [(each["outcome"], each["reason_before"], each["reason"]) for each in shown["history"]] == [
        ("failed", "internal_error", "refused_by_database"),
        ("failed", "refused_by_database", "refused_by_database"),
    ]
    _, receipts = await world.audit(failed)
    assert receipts.inconsistent == []


async def test_what_can_be_read_now_but_not_applied_is_no_longer_quarantined(world: World) -> None:
    refused = story(1)[0].replace(b'"L1"', b'"' + "x".join(map(str, range(3000))).encode() + b'"')
    told = await world.apply(b"{", refused)
    await world.pool.execute(
        "UPDATE dead_letters SET kind = 'quarantined', stage = 'decode', reason = 'not_json', callback_type = NULL, "
        "event_id = NULL WHERE position = 1"
    )
    await world.pool.execute(
        "UPDATE callback_messages SET outcomes = 'qq', quarantined = 2, dead_lettered = 0 WHERE message_id = $1",
        told.message_id,
    )
    await world.json("replay", "--all", exit_code=1)
    assert await world.outcomes(told) == "qx"
    unread, read = await world.letters()
    assert (unread["kind"], unread["reason"]) == ("quarantined", "not_json")
    assert (read["kind"], read["stage"], read["event_id"]) == ("dead_lettered", "apply", "event-0")


async def test_a_dry_run_tells_what_would_come_of_each_and_changes_nothing(world: World) -> None:
    await world.fail(*story(4))
    await world.apply(*story(1))
    await world.apply(b"{", encoded({"callback_type": "of_tomorrow"}))
    before = await world.letters()
    told = await world.json("replay", "--all", "--dry-run", exit_code=1)
    assert told["counts"] == {"applied": 3, "duplicate": 1, "failed": 2}
    assert told["run_id"] is None
    found = {(each["outcome"], each["callback_type"], each["reason"]): each["letters"] for each in told["found"]}
    assert found == {
        ("applied", "subscription_added", None): 2,
        ("applied", "subscription_removed", None): 1,
        ("duplicate", "subscription_removed", None): 1,
        ("failed", None, "not_json"): 1,
        ("failed", None, "unknown_type"): 1,
    }
    assert await world.letters() == before
    assert await world.count("dead_letter_runs") == await world.count("dead_letter_history") == 0
    assert await world.count("callback_events") == 1


async def test_changes_of_the_crm_go_the_way_of_changes_of_the_crm(world: World) -> None:
    await world.fail_changes(
        change("ann", 1, mdn="(312) 555-0100", colour={"id": 7, "name": "Röd"}, gone=None), change("ben", 1, visits=1)
    )
    await world.fail_changes(change("ben", 0, visits=0))
    told = await world.json("replay", "--stage", "crm")
    assert told["counts"] == {"applied": 2, "duplicate": 1}
    rows = await world.pool.fetch("SELECT * FROM crm_persons ORDER BY external_person_id")
    assert [row["external_person_id"] for row in rows] == ["ann", "ben"]
    assert orjson.loads(rows[0]["custom_fields"]) == {"colour": {"id": 7, "name": "Röd"}, "gone": None}
    assert (rows[0]["mdn"], rows[0]["mdn_e164"]) == ("(312) 555-0100", "+13125550100")
    assert orjson.loads(rows[1]["custom_fields"]) == {"visits": 1}
    syncs = await world.pool.fetch("SELECT bulk FROM person_sync")
    assert [row["bulk"] for row in syncs] == [True, True]


async def test_the_syncs_that_follow_from_a_replay_wait_for_those_that_follow_from_what_just_happened(
    world: World,
) -> None:
    await world.fail(*story(3)[1:])
    await world.apply(*story(3, start=10))
    live = {row["person_uid"] for row in await world.pool.fetch("SELECT person_uid FROM person_sync")}
    await world.json("replay", "--all")
    rows = await world.pool.fetch("SELECT person_uid, bulk FROM person_sync")
    assert {row["person_uid"] for row in rows if not row["bulk"]} == live
    assert sum(row["bulk"] for row in rows) == 2


async def test_a_broker_message_that_could_not_be_read_is_applied_part_by_part(world: World) -> None:
    told = message([*story(3), b"{"])
    changes = crm_message([change("ann", 1, visits=1), change("bad", 0, note="a\x00b")])
    for body in (encode(told), changes, b"what is this"):
        await world.pool.execute(
            "INSERT INTO dead_letters (kind, stage, reason, body, message_id, position) "
            "VALUES ('dead_lettered', 'decode', 'unknown_version', $1, gen_random_uuid(), -1)",
            body,
        )
    result = await world.json("replay", "--all", exit_code=1)
    assert result["counts"] == {"applied": 2, "failed": 1}
    assert await world.outcomes(told) == "aaaq"
    callbacks, crm, foreign, *parts = await world.letters()
    assert [letter["status"] for letter in (callbacks, crm, foreign)] == ["replayed", "replayed", "open"]
    assert foreign["reason"] == "unreadable_envelope"
    assert [(letter["stage"], letter["reason"]) for letter in parts] == [
        ("decode", "not_json"),
        ("crm", "refused_by_database"),
    ]
    shown = await world.json("show", str(callbacks["id"]))
    assert shown["history"][0]["detail"] == "callbacks: 3 applied, 1 quarantined"
    _, receipts = await world.audit(told)
    assert (receipts.missing, receipts.inconsistent) == ([], [])


async def test_a_broker_message_that_was_applied_after_all_is_a_duplicate(world: World) -> None:
    told = await world.apply(*story(2))
    await world.pool.execute(
        "INSERT INTO dead_letters (kind, stage, reason, body, message_id, position) "
        "VALUES ('dead_lettered', 'delivery', 'delivery_limit', $1, $2, -1)",
        encode(told),
        told.message_id,
    )
    assert (await world.json("replay", "--all"))["counts"] == {"duplicate": 1}
    assert await world.count("callback_events") == 2


async def test_a_letter_with_an_odd_body_holds_nobody_up(world: World) -> None:
    bodies = [encoded(person_body(event_id="nul", custom_fields={"note": "a\x00b"})), *story(2)]
    failed = await world.fail(*bodies)
    assert (await world.json("replay", "--all"))["counts"] == {"applied": 3}
    row = await world.pool.fetchrow("SELECT original_body FROM callback_events WHERE event_id = 'nul'")
    assert row is not None
    assert row["original_body"] == bodies[0]
    assert await world.outcomes(failed) == "aaa"
