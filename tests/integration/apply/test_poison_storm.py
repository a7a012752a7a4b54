"""A worker that would dead-letter much of what comes, through a fault of ours, leaves it in the queue instead."""

import asyncio
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

import asyncpg

from schemas.broker_message import encode
from tests.integration.apply.test_process import groups, logged_events, wait_until_settled
from tests.support.applying import message
from tests.support.commands import AS_USERS_DO
from tests.support.crm import change, crm_message
from tests.support.ingest import eventually
from tests.support.pipeline import TOPOLOGY, PartProcess, environment_for, part, publish, ready_messages, story

QUEUE = TOPOLOGY.apply_queue(0).name


async def asked(worker: PartProcess, path: str) -> tuple[int, str]:
    """Return what the worker's admin port answers."""
    port = worker.events("apply.started")[0]["admin_port"]

    def ask() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(ask)


async def execute(database_url: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


async def dead_letters(database_url: str) -> int:
    (row,) = await execute(database_url, "SELECT count(*) AS n FROM dead_letters")
    return int(row["n"])


async def test_when_the_database_refuses_much_of_what_comes_it_stays_in_the_queue_until_the_database_is_mended(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    environment = environment_for(tmp_path, database_url, amqp_url, apply_storm_trial_seconds=1)
    await execute(database_url, "ALTER TABLE subscriptions ADD CONSTRAINT wrong CHECK (list_id <> 'L1') NOT VALID")
    await publish(amqp_url, groups(story(300), 20))
    async with part("apply", environment=environment) as worker:
        await worker.logged("apply.poison_storm_goes_on")
        assert await asked(worker, "/healthz") == (200, "alive\n")
        status, why = await asked(worker, "/readyz")
        assert (status, "poison storm" in why) == (503, True)
        _, metrics = await asked(worker, "/metrics")
        assert 'vibes_apply_poison_storm{what="callbacks"} 1.0' in metrics
        await given_back(amqp_url)
        assert await ready_messages(amqp_url, QUEUE) == 15
        assert await dead_letters(database_url) == 0
        (alert,) = worker.events("apply.poison_storm")
        assert alert["level"] == "error"
        assert "deploy one that is mended" in alert["to_do"]

        await execute(database_url, "ALTER TABLE subscriptions DROP CONSTRAINT wrong")
        outcomes = await wait_until_settled(database_url, 300)
        assert worker.events("apply.poison_storm_over")
        assert (await asked(worker, "/readyz"))[0] == 200
        await worker.signal(signal.SIGTERM)
        assert worker.process.returncode == 0
    assert outcomes == {"applied": 300, "duplicates": 0, "quarantined": 0, "dead_lettered": 0}
    assert len(await logged_events(database_url)) == 300


async def given_back(amqp_url: str) -> None:
    async def back() -> bool:
        return await ready_messages(amqp_url, QUEUE) > 0

    await eventually(back, "the messages are back in the queue")


BAD_RELEASE = """
import schemas.callbacks.types as types
types.known_type = lambda told: None
"""


async def test_a_release_that_cannot_read_what_the_one_before_could_leaves_it_to_the_next(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BAD_RELEASE)
    environment = environment_for(tmp_path, database_url, amqp_url)
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[3])))
    await publish(amqp_url, groups(story(200), 20))
    async with part("apply", environment={**environment, "PYTHONPATH": path}, command=AS_USERS_DO) as bad:
        await bad.logged("apply.poison_storm")
        await given_back(amqp_url)
        await bad.signal(signal.SIGTERM)
        assert bad.process.returncode == 0
    assert await dead_letters(database_url) == 0
    async with part("apply", environment=environment):
        outcomes = await wait_until_settled(database_url, 200)
    assert outcomes == {"applied": 200, "duplicates": 0, "quarantined": 0, "dead_lettered": 0}


async def test_rubbish_stops_nobody_however_much_there_is(tmp_path: Path, database_url: str, amqp_url: str) -> None:
    rubbish = [b"{", b"not json", b'{"callback_type":"of_tomorrow"}', b'{"callback_type":"person_added","person":null}']
    await publish(amqp_url, [*groups(rubbish * 75, 20), *groups(story(20), 20)])
    async with part("apply", environment=environment_for(tmp_path, database_url, amqp_url)) as worker:
        outcomes = await wait_until_settled(database_url, 320)
        assert worker.events("apply.poison_storm") == []
    assert outcomes == {"applied": 20, "duplicates": 0, "quarantined": 300, "dead_lettered": 0}


async def test_a_message_of_a_later_release_waits_with_all_others_for_workers_who_can_read_it(
    tmp_path: Path, database_url: str, amqp_url: str
) -> None:
    ours, later = message(story(20)), encode(message(story(20, start=20))).replace(b'"version":1', b'"version":2', 1)
    await publish(amqp_url, [later, ours])
    environment = environment_for(tmp_path, database_url, amqp_url, apply_storm_trial_seconds=1)
    async with part("apply", environment=environment) as old:
        await old.logged("apply.later_messages")
        await old.logged("apply.poison_storm_goes_on")
        assert "docs/upgrades.md" in old.events("apply.later_messages")[0]["to_do"]
        await given_back(amqp_url)
        assert await ready_messages(amqp_url, QUEUE) == 2
    assert await dead_letters(database_url) == 0

    # Who would rather have it set aside says so, and what is set aside can be replayed by the release that reads it.
    async with part("apply", environment={**environment, "VIBES_PIPELINE_APPLY_STORM_SHARE": "1"}):
        outcomes = await wait_until_settled(database_url, 20)

        async def set_aside() -> bool:
            return await dead_letters(database_url) == 1

        await eventually(set_aside, "it is set aside")
    assert outcomes == {"applied": 20, "duplicates": 0, "quarantined": 0, "dead_lettered": 0}


async def test_changes_of_the_crm_have_a_storm_of_their_own(tmp_path: Path, database_url: str, amqp_url: str) -> None:
    environment = environment_for(tmp_path, database_url, amqp_url, apply_storm_trial_seconds=1)
    await execute(database_url, "ALTER TABLE crm_persons ADD CONSTRAINT wrong CHECK (updated_at IS NULL) NOT VALID")
    changes = [change(f"p{number}", 1, visits=1) for number in range(100)]
    await publish(amqp_url, [crm_message(changes)], exchange=TOPOLOGY.crm.name, routing_key="crm")
    async with part("apply", environment=environment) as worker:
        await worker.logged("apply.poison_storm")
        assert worker.events("apply.poison_storm")[0]["what"] == "crm_changes"
        await publish(amqp_url, [message(story(10))])
        await wait_until_settled(database_url, 10)
        await worker.logged("apply.poison_storm_goes_on")
        await execute(database_url, "ALTER TABLE crm_persons DROP CONSTRAINT wrong")

        async def stored() -> bool:
            (row,) = await execute(database_url, "SELECT count(*) AS n FROM crm_persons")
            return bool(row["n"] == 100)

        await eventually(stored, "the changes are stored", within=30)
    assert await dead_letters(database_url) == 0
