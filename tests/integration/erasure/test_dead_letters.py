"""Erased persons and dead letters: what was set aside about them brings nobody back, and nothing of them stays."""

import json
from typing import Any

from tests.integration.dead_letters.world import bug
from tests.integration.erasure.world import ANN, BEN, LATER, World, bodies_about, profile, stamp, subscribed
from tests.support.applying import apply_bodies
from tests.support.bodies import encoded
from tests.support.crm import apply_changes, change


async def set_aside(world: World, *bodies: dict[str, Any]) -> None:
    with bug():
        await apply_bodies(world.pool, [encoded(body) for body in bodies])


async def replay(world: World, *arguments: str, exit_code: int = 0) -> Any:
    told = await world.run("dead-letters", "replay", *arguments, "--json", exit_code=exit_code)
    return json.JSONDecoder().raw_decode(told)[0]  # how far it is comes behind


async def erase(world: World, person: dict[str, str]) -> None:
    world.at_vibes(person)
    await world.run("persons", "erase", "--external-id", person["external_person_id"], "--yes")


async def test_what_was_set_aside_about_an_erased_person_is_never_replayed(world: World) -> None:
    await world.settle(ANN, BEN)
    await set_aside(world, profile(ANN, "a20"), profile(BEN, "b20"))
    await erase(world, ANN)
    told = await replay(world, "--reason", "internal_error")
    assert told["counts"] == {"applied": 1}
    assert await world.traces_of(ANN) == []
    statuses = await world.pool.fetch("SELECT DISTINCT dead_letter_status(l) AS s FROM dead_letters AS l ORDER BY 1")
    assert [row["s"] for row in statuses] == ["erased", "open", "replayed"]


async def test_an_old_event_that_is_set_aside_after_the_erasure_brings_nobody_back_and_loses_what_it_holds(
    world: World,
) -> None:
    await world.settle(ANN)
    await erase(world, ANN)
    await set_aside(world, subscribed(BEN, "b1"), profile(BEN, "b2"))
    # A bug of the reader hides from apply whom an event is about.
    for body in (profile(ANN, "a30"), subscribed(ANN, "a31")):
        await world.pool.execute(
            "INSERT INTO dead_letters (company_key, kind, stage, reason, detail, body, received_at, endpoint, "
            "message_id, position) VALUES ('acme', 'quarantined', 'decode', 'missing_person', 'as told', $1, now(), "
            "'main', gen_random_uuid(), 0)",
            encoded(body),
        )
    assert await world.traces_of(ANN) != []
    trial = await replay(world, "--reason", "missing_person", "--dry-run")
    assert trial["counts"] == {"erased": 2}
    assert await world.traces_of(ANN) != []
    told = await replay(world, "--reason", "missing_person")
    assert told["counts"] == {"erased": 2}
    assert await world.traces_of(ANN) == []
    assert await world.count("persons") == 0
    assert (await world.types()).count("erased") == 12


async def test_a_newer_event_is_replayed_after_the_erasure(world: World) -> None:
    await world.settle(ANN)
    await erase(world, ANN)
    await set_aside(world, subscribed(ANN, "a40", opt_in_date=stamp(LATER)))
    assert (await replay(world, "--reason", "internal_error"))["counts"] == {"applied": 1}
    assert await world.count("current_subscriptions") == 1


async def test_a_change_of_the_crm_about_an_erased_person_is_not_replayed_unless_it_is_newer(world: World) -> None:
    await world.settle(ANN)
    await erase(world, ANN)
    external = ANN["external_person_id"]
    hours = (LATER - change(external).updated_at).total_seconds() / 3600
    with bug():
        await apply_changes(world.pool, change(external, 1, first_name=ANN["name"]))
    assert (await replay(world, "--stage", "crm"))["counts"] == {"erased": 1}
    assert await world.traces_of(ANN) == []
    with bug():
        await apply_changes(world.pool, change(external, hours, plan="gold"))
    assert (await replay(world, "--stage", "crm"))["counts"] == {"applied": 1}
    assert await world.count("crm_persons") == 1


async def test_erasure_reaches_what_was_noted_about_letters_and_their_history(world: World) -> None:
    await apply_bodies(world.pool, bodies_about(ANN))
    world.at_vibes(ANN)
    await world.pool.execute("UPDATE dead_letters SET detail = $1", f"about {ANN['external_person_id']}")
    await replay(world, "--all", "--note", f"asked for by {ANN['external_person_id']}", exit_code=1)
    await replay(world, "--all", "--note", "OPS-1", exit_code=1)
    await world.run("dead-letters", "discard", "--reason", "not_json", "--note", f"{ANN['mdn']} called")
    assert await world.traces_of(ANN) != []
    await erase(world, ANN)
    assert await world.traces_of(ANN) == []
    notes = await world.pool.fetch("SELECT note FROM dead_letter_runs ORDER BY started_at")
    assert [row["note"] for row in notes] == [None, "OPS-1", None]
    counts = json.loads(await world.pool.fetchval("SELECT counts FROM erasures"))
    assert counts["dead_letter_runs"] == 2
