"""Callbacks reach a real receiver, whatever it does, and the ledger tells the truth about it."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from simulator.app import create_app, serve
from simulator.documented import documented_bodies
from simulator.server import SIMULATOR
from tests.integration.simulator.world import PERSONS, Receiver, Vibes, config


async def test_a_run_delivers_everything_it_planned_and_its_ledger_tells_what_arrived(
    vibes: Vibes, receiver: Receiver
) -> None:
    figures = await vibes.run(
        callbacks=1_500, duplicate_ratio=0.1, malformed=70, documented=True, shuffle_window=50, persons=200
    )

    assert (figures["state"], figures["planned"]) == ("finished", 1_500 + 150 + 70 + 9)
    assert figures["sent"] == figures["acknowledged"] == figures["planned"] == len(receiver.bodies)
    assert (figures["duplicates"], figures["lost"], figures["retried"]) == (150, 0, 0)
    assert figures["answers"] == {"202": figures["planned"]}
    assert 0 < figures["p99_answer_seconds"] <= figures["max_answer_seconds"] < 10

    ledger = await vibes.ledger()
    assert Counter(line["kind"] for line in ledger)["event"] == 1_500
    assert sum(line["malformed"] for line in ledger) == figures["malformed"] > 60
    assert all(line["state"] == "acknowledged" for line in ledger)
    hashes = {digest for line in ledger for digest in [line["sha256"], *line["sha256_others"]]}
    assert hashes == {hashlib.sha256(body).hexdigest() for body in receiver.bodies}
    receipts = [receipt for line in ledger for receipt in line["receipts"]]
    assert len(set(receipts)) == len(receipts) == figures["sent"]
    assert set(documented_bodies()) <= set(receiver.bodies)
    assert {method for method, _ in receiver.kinds} == {"POST", "PUT"}
    assert {content_type for _, content_type in receiver.kinds} == {"application/json", "text/json"}


async def test_the_same_seed_sends_the_same_bodies_in_the_same_order(
    start: Callable[..., Awaitable[Vibes]], receiver: Receiver
) -> None:
    spec = {"callbacks": 400, "duplicate_ratio": 0.2, "malformed": 10, "shuffle_window": 30, "concurrency": 1}
    sent = []
    for seed in (5, 5, 6):
        receiver.bodies.clear()
        await (await start(seed=seed)).run(**spec)
        sent.append(receiver.bodies.copy())
    assert sent[0] == sent[1] != sent[2]


async def test_a_second_run_with_the_same_seed_goes_on_with_the_story(vibes: Vibes, receiver: Receiver) -> None:
    for _ in range(2):
        assert (await vibes.run(callbacks=300))["state"] == "finished"
    ids = [line["event_id"] for line in await vibes.ledger()]
    assert len(set(ids)) == len(ids) == 600


async def test_failures_are_retried_until_acknowledged(vibes: Vibes, receiver: Receiver) -> None:
    async def flaky(number: int) -> int:
        if number % 20 == 0:
            await receiver.released.wait()
        return (202, 503, 307, 500, 202)[number % 5]

    receiver.behave = flaky
    figures = await vibes.run(callbacks=150, delivery={"max_attempts": 50, "timeout_seconds": 0.3})

    assert (figures["acknowledged"], figures["lost"], figures["gave_up"]) == (150, 0, 0)
    assert set(figures["answers"]) == {"202", "307", "500", "503", "timeout"}
    assert figures["retried"] == sum(figures["answers"].values()) - 150 > 0


async def test_a_4xx_loses_an_event_at_once(vibes: Vibes, receiver: Receiver) -> None:
    receiver.behave = lambda number: 404 if number % 3 == 0 else 202
    figures = await vibes.run(callbacks=90)

    lost = await vibes.lines("ledger?company_key=acme&state=lost_4xx")
    assert len(lost) == figures["lost"] == figures["answers"]["404"] == 30
    assert {(line["sent"], line["last_answer"]) for line in lost} == {(1, "404")}
    assert len(receiver.bodies) == 90


async def test_after_its_last_attempt_an_event_is_given_up(start: Callable[..., Awaitable[Vibes]]) -> None:
    vibes = await start("http://127.0.0.1:1/nobody-listens")
    figures = await vibes.run(callbacks=10)

    assert (figures["gave_up"], figures["answers"]) == (10, {"connection": 50})
    assert {(line["state"], line["sent"]) for line in await vibes.ledger()} == {("gave_up", 5)}


async def test_a_url_that_keeps_failing_is_downed_and_tried_again_later(vibes: Vibes, receiver: Receiver) -> None:
    receiver.behave = lambda number: 503 if number <= 30 else 202
    figures = await vibes.run(
        callbacks=100, concurrency=4, delivery={"downed_after": 10, "max_attempts": 50, "downed_seconds": 0.2}
    )
    assert figures["times_downed"] >= 2
    assert figures["seconds"] > 0.4
    assert figures["acknowledged"] == 100


async def test_attempts_are_counted_in_old_bodies_only(vibes: Vibes, receiver: Receiver) -> None:
    receiver.behave = lambda number: 503 if number <= 200 else 202
    await vibes.run(callbacks=200, delivery={"downed_after": 1_000, "max_attempts": 9})
    attempts = Counter(body.get("delivery_attempt") for body in receiver.events())
    assert attempts["1"] > 0
    assert attempts["2"] > 0


async def test_a_rate_is_kept(vibes: Vibes, receiver: Receiver) -> None:
    figures = await vibes.run(callbacks=60, rate=100, burst=20)
    assert 0.4 <= figures["seconds"] < 2


async def test_the_truth_says_what_was_told(vibes: Vibes, receiver: Receiver) -> None:
    await vibes.run(callbacks=800, persons=150)
    lines = await vibes.lines("mobiledb?company_key=acme")
    persons = {line["person_id"]: line for line in lines if line["kind"] == "person"}
    stays = [line for line in lines if line["kind"] == "stay"]

    told = {str(body["person"]["person_id"]) for body in receiver.events() if "updated_at" in body.get("person", {})}
    assert {person_id for person_id, line in persons.items() if line["announced"]} == told
    assert any(line["referenced"] and not line["announced"] for line in persons.values())
    assert any(line["key_told"] for line in persons.values())
    ids = {body["event_id"] for body in receiver.events()}
    assert all(stay["added_by"] in ids for stay in stays)
    assert all((stay["removed_by"] in ids) == (stay["opt_out_date"] is not None) for stay in stays)


async def test_a_change_nobody_is_told_of_is_not_announced(start: Callable[..., Awaitable[Vibes]]) -> None:
    vibes = await start(None)
    await vibes.call("POST", PERSONS + "/", {"external_person_id": "crm-1"})
    (person,) = await vibes.lines("mobiledb?company_key=acme")
    assert (person["announced"], person["referenced"]) == (False, False)
    assert await vibes.ledger() == []


async def test_one_story_at_a_time_and_a_stop_breaks_it_off(
    start: Callable[..., Awaitable[Vibes]], receiver: Receiver
) -> None:
    app = create_app(config(receiver.url))
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    async with aiohttp.ClientSession() as session:
        vibes = Vibes(server, session)
        spec = {"company_key": "acme", "callbacks": 1_000, "rate": 10}
        assert (await vibes.call("POST", "/_simulator/runs", spec))[0] == 201
        assert (await vibes.call("POST", "/_simulator/runs", spec))[0] == 409
    await server.close()

    assert app[SIMULATOR].runs["1"].state == "cancelled"


async def test_serve_tells_its_address_and_stops_when_cancelled() -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(config(None), ready.set_result))
    async with aiohttp.ClientSession() as session, session.get(f"{await ready}/_simulator/companies") as response:
        assert [company["company_key"] for company in await response.json()] == ["acme", "other"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
