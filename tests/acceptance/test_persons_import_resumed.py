"""An import that is stopped, killed, or left by its broker, and then carries on."""

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.rabbitmq import LocalRabbitMQ
from tests.support.importing import QUEUE, Importer, Running, refused_rows
from tests.support.ingest import eventually

ROWS = 20_000
IDS = [f"c{number}" for number in range(ROWS)]


@pytest.fixture
async def acme(tmp_path: Path, amqp_url: str) -> AsyncIterator[Importer]:
    importer = Importer(tmp_path, amqp_url)
    yield importer
    await importer.close()


@pytest.fixture
async def alone(tmp_path: Path, own_rabbitmq: LocalRabbitMQ) -> AsyncIterator[Importer]:
    """With a broker of its own."""
    importer = Importer(tmp_path, own_rabbitmq.amqp_url)
    yield importer
    await importer.close()


def crm_file(importer: Importer, rows: int = ROWS) -> str:
    return importer.file(
        "crm.csv", "\n".join(["external_person_id,custom_fields.a", *(f"c{n},{n}" for n in range(rows))])
    )


def state(file: str) -> dict[str, int]:
    path = Path(f"{file}.import-state.json")
    return json.loads(path.read_bytes()) if path.exists() else {"confirmed_row": 0}


async def begun(importer: Importer, file: str, *options: str, rate: int = 4000) -> Running:
    """Begin an import that takes its time, and wait until the broker has some rows."""
    running = await importer.start(file, "--rate", str(rate), *options)
    await eventually(lambda: state(file)["confirmed_row"] > 0, "rows confirmed")
    return running


async def test_killed_in_the_middle_it_carries_on_and_every_row_gets_there(acme: Importer) -> None:
    file = crm_file(acme)
    running = await begun(acme, file)
    running.send_signal(signal.SIGKILL)
    assert (await running.ended()).code == -signal.SIGKILL
    confirmed = state(file)["confirmed_row"]
    before = await acme.published()

    summary = await acme.json(file)
    assert (summary["resumed_after_row"], summary["rows"], summary["accepted"]) == (confirmed, ROWS, ROWS)
    after = await acme.published()
    sent = [change for message in (*before, *after) for change in message.changes]
    assert {change.external_person_id for change in sent} == set(IDS)
    assert confirmed <= sum(len(message.changes) for message in before) < ROWS
    times = {(change.external_person_id, change.updated_at) for change in sent}
    assert len(times) == ROWS, "a row sent twice has the same time both times"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_asked_to_stop_it_ends_at_once_and_carries_on_without_sending_a_row_twice(
    acme: Importer, number: signal.Signals
) -> None:
    file = crm_file(acme)
    running = await begun(acme, file, "--json")
    running.send_signal(number)
    ended = await running.ended()
    assert ended.code == 1
    assert "stopped, as asked; the broker has all rows up to row" in ended.err
    assert "Traceback" not in ended.err
    assert ended.json["completed"] is False
    await acme.json(file)
    assert await acme.published_ids() == IDS


async def test_the_report_and_the_numbers_of_an_import_carried_on_are_those_of_the_whole_file(acme: Importer) -> None:
    rows = [f"c{number % 19_000},{'none' if number % 1000 == 0 else ''}" for number in range(ROWS)]
    file = acme.file("crm.csv", "\n".join(["external_person_id,mdn", *rows]))
    running = await begun(acme, file)
    running.send_signal(signal.SIGKILL)
    await running.ended()
    summary = await acme.json(file, exit_code=1)
    assert summary["resumed_after_row"] > 0
    assert (summary["refused"], summary["duplicates"]) == ({"invalid_mdn": 20}, 999)
    assert [int(each["row"]) for each in refused_rows(f"{file}.refused.csv")] == list(range(1, ROWS, 1000))


async def test_once_complete_it_is_not_imported_again_unless_asked_to(acme: Importer) -> None:
    file = crm_file(acme, 10)
    await acme.json(file)
    told = await acme.refusals(file)
    assert "this file was imported completely at" in told
    assert "--restart" in told
    await acme.json(file, "--restart")
    crm_file(acme, 5)
    assert (await acme.json(file))["rows"] == 5, "a new file of that name is a new import"
    assert len(await acme.published_ids()) == 25


async def test_a_file_or_options_changed_in_the_middle_are_refused_with_what_to_do(acme: Importer) -> None:
    file = crm_file(acme)
    running = await begun(acme, file)
    running.send_signal(signal.SIGKILL)
    await running.ended()
    told = await acme.refusals(file, "--unmapped-as-custom-fields", "--empty", "remove")
    assert "with other options (empty, unmapped" in told
    crm_file(acme, ROWS + 1)
    told = await acme.refusals(file)
    assert "the file has changed since" in told
    assert "--restart begins anew" in told
    assert (await acme.json(file, "--restart"))["rows"] == ROWS + 1


async def test_two_imports_of_one_file_at_once_are_refused(acme: Importer) -> None:
    file = crm_file(acme)
    await begun(acme, file, rate=500)
    second = await acme.run(file)
    assert second.code == 1
    assert "another import is writing it" in second.err


async def test_without_a_broker_it_gives_up_after_its_patience_and_can_carry_on(acme: Importer) -> None:
    file = crm_file(acme, 10)
    ended = await acme.run(file, "--patience", "1", AMQP_URL="amqp://user:hunter2@127.0.0.1:1/")
    assert ended.code == 1
    assert "RabbitMQ takes no messages (" in ended.err
    assert "AMQP_URL: RabbitMQ took no messages for 1 s" in ended.err
    assert "the same command carries on" in ended.err
    assert "hunter2" not in ended.err
    await acme.json(file)
    assert len(await acme.published_ids()) == 10


async def test_asked_to_stop_while_the_broker_is_away_it_stops(acme: Importer) -> None:
    running = await acme.start(crm_file(acme, 10), AMQP_URL="amqp://127.0.0.1:1/")
    await running.told("RabbitMQ takes no messages")
    running.send_signal(signal.SIGTERM)
    assert (await running.ended()).code == 1


@pytest.mark.long  # until a broker has gone and come back twice
async def test_a_broker_that_is_away_at_the_start_and_dies_in_the_middle_is_waited_for(
    alone: Importer, own_rabbitmq: LocalRabbitMQ
) -> None:
    own_rabbitmq.stop()
    file = crm_file(alone)
    running = await alone.start(file, "--rate", "4000", "--json")
    await running.told("RabbitMQ takes no messages")
    own_rabbitmq.start()
    await running.told("RabbitMQ takes messages again")
    await eventually(lambda: state(file)["confirmed_row"] > 0, "rows confirmed")
    own_rabbitmq.sync_declarations()
    own_rabbitmq.kill()
    own_rabbitmq.start()
    ended = await running.ended()
    assert ended.code == 0, ended
    assert set(await alone.published_ids()) == set(IDS)


async def test_a_full_queue_is_waited_for_and_what_it_took_is_not_sent_again(
    alone: Importer, own_rabbitmq: LocalRabbitMQ
) -> None:
    file = crm_file(alone)
    own_rabbitmq.ctl("set_policy", "full", f"^{QUEUE}$", '{"max-length":10}')
    ended = await alone.run(file, "--patience", "2", "--json")
    assert ended.code == 1
    assert "it refuses them; is the queue full?" in ended.err
    confirmed = ended.json["confirmed_row"]
    assert confirmed >= 10 * 500
    own_rabbitmq.ctl("clear_policy", "full")
    summary = await alone.json(file)
    assert summary["resumed_after_row"] == confirmed
    assert set(await alone.published_ids()) == set(IDS)


@pytest.mark.long  # until a broker has blocked and unblocked
async def test_a_broker_that_blocks_publishers_is_waited_for(alone: Importer, own_rabbitmq: LocalRabbitMQ) -> None:
    own_rabbitmq.block_publishers()
    running = await alone.start(crm_file(alone, 1000), "--json")
    await running.told("RabbitMQ takes no messages (no answer within 10 s; is it short of memory or disk?)")
    own_rabbitmq.unblock_publishers()
    assert (await running.ended()).code == 0
    assert set(await alone.published_ids()) == set(IDS[:1000])


async def test_a_file_that_grows_while_it_is_read_is_not_called_complete(acme: Importer) -> None:
    file = crm_file(acme)
    running = await begun(acme, file)
    crm_file(acme, ROWS + 1)
    ended = await running.ended()
    assert ended.code == 1
    assert "changed while it was read; import it again with --restart" in ended.err
    assert "the file has changed since" in await acme.refusals(file)
