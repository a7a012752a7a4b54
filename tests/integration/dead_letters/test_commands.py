"""`dead-letters list`, `show`, `replay`, `discard` and `runs`, as people and programs use them."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.integration.dead_letters.world import World
from tests.support.applying import apply_message, message
from tests.support.crm import change
from tests.support.ingest import eventually
from tests.support.pipeline import story
from workers.replay.results import Outcome


async def test_letters_are_listed_and_narrowed_by_every_filter(world: World) -> None:
    await world.fail(*story(4))
    await world.apply(b"{", b"[]")
    await apply_message(world.pool, message([b"{"], "globex"))
    await world.fail_changes(change("ann", 1, visits=1))
    await world.pool.execute(
        "UPDATE dead_letters SET created_at = now() - interval '3 days' WHERE company_key = 'globex'"
    )
    everything = await world.json("list")
    assert everything["total"] == 8
    first = everything["letters"][0]
    assert (first["stage"], first["reason"], first["status"]) == ("crm", "internal_error", "open")
    assert "body" not in first
    assert first["first_seen_at"] == first["last_seen_at"]
    ids = [str(letter["id"]) for letter in everything["letters"][:2]]
    for expected, options in (
        (1, ["--company", "globex"]),
        (3, ["--kind", "quarantined"]),
        (1, ["--stage", "crm"]),
        (2, ["--reason", "not_json"]),
        (2, ["--type", "subscription_added"]),
        (7, ["--since", "24h"]),
        (1, ["--until", "24h"]),
        (2, ids),
        (0, ["--status", "discarded"]),
        (8, ["--status", "all"]),
        (1, ["--kind", "quarantined", "--reason", "not_json", "--since", "1h"]),
    ):
        found = await world.json("list", *options)
        assert (found["total"], len(found["letters"])) == (expected, expected), options
    assert len((await world.json("list", "--limit", "2"))["letters"]) == 2


async def test_letters_that_failed_alike_are_added_up(world: World) -> None:
    await world.fail(*story(4))
    await world.apply(b"{", b"{")
    sorts = await world.json("list", "--group")
    assert [(sort["letters"], sort["reason"], sort["callback_type"]) for sort in sorts] == [
        (2, "internal_error", "subscription_added"),
        (2, "internal_error", "subscription_removed"),
        (2, "not_json", None),
    ]
    table = (await world.output("list", "--group")).decode()
    assert "internal_error" in table


async def test_a_letter_is_shown_without_what_it_holds_which_is_handed_out_byte_for_byte(
    world: World, tmp_path: Path
) -> None:
    body = b'{"secret": "\xff\x00 Annabel +13125550101"'
    await world.apply(body)
    (letter,) = await world.letters()
    number = str(letter["id"])
    told = await world.output("show", number) + await world.output("show", number, "--json")
    assert b"Annabel" not in told
    assert b"not_utf8" in told
    assert await world.output("show", number, "--raw") == body
    target = tmp_path / "letter.bin"
    assert await world.output("show", number, "--raw", "--output", str(target)) == b""
    assert target.read_bytes() == body
    assert target.stat().st_mode & 0o777 == 0o600
    assert b"exists already" in await world.output("show", number, "--raw", "--output", str(target), exit_code=2)


async def test_there_is_no_such_letter(world: World) -> None:
    async with world.command("show", "12345") as process:
        _, err = await process.communicate()
    assert (process.returncode, b"there is no dead letter 12345" in err) == (1, True)


async def test_what_is_discarded_stays_with_who_when_and_why(world: World) -> None:
    await world.fail(*story(3))
    first, second, third = await world.letters()
    told = await world.json("discard", str(first["id"]), "--by", "ann", "--note", "OPS-7: a load test")
    assert told["counts"] == {"discarded": 1}
    await world.json("discard", str(second["id"]), "--note", "asked for", "--remove-body")
    kept, emptied, untouched = await world.letters()
    assert (kept["status"], kept["outcome"], kept["discarded_by"], kept["body"]) == (
        "discarded",
        "discarded",
        "ann",
        first["body"],
    )
    assert kept["discarded_at"] is not None
    assert (emptied["status"], emptied["body"], emptied["headers"], emptied["detail"]) == ("discarded", b"", "{}", None)
    assert (untouched["status"], untouched["body"]) == ("open", third["body"])
    history = (await world.json("show", str(first["id"])))["history"]
    assert [(each["action"], each["requested_by"], each["note"]) for each in history] == [
        ("discard", "ann", "OPS-7: a load test")
    ]
    async with world.command("show", str(second["id"]), "--raw") as process:
        _, err = await process.communicate()
    assert b"discarded with its body" in err


async def test_what_was_discarded_counts_as_dead_letter_in_the_audit(world: World) -> None:
    told = await world.fail(*story(3))
    await world.json("discard", "--all", "--note", "x", "--remove-body")
    counts, receipts = await world.audit(told)
    assert counts == {"applied": 0, "duplicates": 0, "quarantined": 0, "dead_lettered": 3}
    assert receipts.inconsistent == []


async def test_what_was_discarded_is_replayed_only_when_asked_for_and_never_without_its_body(world: World) -> None:
    await world.fail(*story(3))
    first, second, _ = (str(letter["id"]) for letter in await world.letters())
    await world.json("discard", first, "--note", "x")
    await world.json("discard", second, "--note", "x", "--remove-body")
    assert (await world.json("replay", "--all"))["counts"] == {"applied": 1}
    assert (await world.json("replay", "--all", "--discarded"))["counts"] == {"applied": 1}
    assert [letter["status"] for letter in await world.letters()] == ["replayed", "discarded", "replayed"]


async def test_a_dry_run_of_a_discard_counts(world: World) -> None:
    await world.fail(*story(3))
    assert sum(sort["letters"] for sort in await world.json("discard", "--all", "--dry-run")) == 3
    assert {letter["status"] for letter in await world.letters()} == {"open"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("replay",), "name the letters by their ids or by filters, or give --all"),
        (("replay", "--all", "--reason", "x"), "--all means every letter"),
        (("discard", "1"), "--note: say why"),
        (("list", "--kind", "x"), "--kind x: must be one of quarantined, dead_lettered"),
        (("list", "--status", "x"), "--status x: must be one of open, replayed, discarded, erased, all"),
        (("list", "--until", "x"), "--until: must be a time"),
        (("replay", "1", "--resume", "6a3f3ab5-5d5b-4f8a-9d5a-0d9d0d1c7d11"), "--resume carries a run on"),
        (("show", "1", "--output", "x"), "--output goes with --raw"),
        (("replay", "1", "--by", " "), "--by: blank"),
    ],
)
async def test_wrong_use_is_told(world: World, arguments: tuple[str, ...], problem: str) -> None:
    assert problem in (await world.output(*arguments, exit_code=2)).decode()


async def waits(world: World, applied: int) -> None:
    async def there() -> bool:
        return await world.count("callback_events") >= applied

    await eventually(there, f"{applied} are applied", within=30)


async def test_a_replay_keeps_its_rate_shows_how_far_it_is_is_interrupted_cleanly_and_carried_on(world: World) -> None:
    await world.fail(*story(60))
    async with world.command("replay", "--all", "--rate", "10", "--by", "ann") as process:
        await waits(world, 10)
        process.send_signal(signal.SIGINT)
        out, err = (each.decode() for each in await process.communicate())
    assert process.returncode == 1
    assert "Traceback" not in err
    done = await world.count("callback_events")
    assert done < 60, "ten a second"
    (run,) = await world.json("runs")
    assert (run["finished"], run["total"], run["counts"]) == (False, 60, {"applied": done})
    assert f"--resume {run['run_id']}" in out
    assert {letter["status"] for letter in await world.letters()} == {"open", "replayed"}

    # What comes later is no matter of the run that is carried on.
    await world.fail(*story(5, start=100))
    await world.pool.execute("UPDATE dead_letter_runs SET rate = 10000")
    told = await world.json("replay", "--resume", run["run_id"])
    assert (told["finished"], told["resumed"], told["counts"], told["by"]) == (True, True, {"applied": 60}, "ann")
    assert await world.count("callback_events") == 60
    assert (await world.json("list"))["total"] == 5
    rows = (await world.json("runs", run["run_id"]))["rows"]
    assert [(row["outcome"], row["reason_before"]) for row in rows] == [("applied", "internal_error")] * 60


async def test_a_replay_killed_at_any_moment_is_carried_on_and_applies_each_letter_once(world: World) -> None:
    failed = await world.fail(*story(40))
    async with world.command("replay", "--all", "--rate", "20") as process:
        await waits(world, 20)
        process.kill()
        await process.wait()
    (run,) = await world.json("runs")

    query = (
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name LIKE 'vibes-pipeline dead-letters%'"
    )

    async def gone() -> bool:
        return bool(await world.pool.fetchval(query))

    await eventually(gone, "the server has noticed that the command is gone", within=30)
    told = await world.json("replay", "--resume", run["run_id"])
    assert told["counts"] == {"applied": 40}
    assert await world.count("callback_events") == 40
    assert await world.outcomes(failed) == "a" * 40


async def test_two_replays_at_once_apply_each_letter_once(world: World) -> None:
    await world.fail(*story(50))
    told = await asyncio.gather(*(world.json("replay", "--all", "--rate", "1000") for _ in range(3)))
    assert sum(each["counts"].get("applied", 0) for each in told) == 50
    assert await world.count("callback_events") == 50
    assert await world.count("dead_letter_history") == 50
    assert all(letter["replays"] == 1 for letter in await world.letters())


async def test_a_run_that_is_under_way_cannot_be_carried_on_by_another(world: World) -> None:
    await world.fail(*story(40))
    async with world.command("replay", "--all", "--rate", "5"):
        await waits(world, 5)
        (run,) = await world.json("runs")
        async with world.command("replay", "--resume", run["run_id"]) as second:
            _, err = await second.communicate()
        assert (second.returncode, b"another process is at run" in err) == (1, True)


async def test_tables_are_for_people(world: World) -> None:
    await world.fail(*story(2))
    await world.apply(b"{")
    assert "internal_error" in (await world.output("list")).decode()
    trial = (await world.output("replay", "--all", "--dry-run", exit_code=1)).decode()
    assert "a dry run, nothing was changed; of 3 letters: 2 applied, 1 failed" in trial
    told = (await world.output("replay", "--all", exit_code=1)).decode()
    assert "of 3 letters: 2 applied, 1 failed" in told
    assert "failed" in (await world.output("runs")).decode()
    (run,) = await world.json("runs")
    assert Outcome.APPLIED in (await world.output("runs", run["run_id"])).decode()
    (letter,) = await world.letters("replayed_at IS NULL")
    assert "decode: not_json" in (await world.output("show", str(letter["id"]))).decode()
