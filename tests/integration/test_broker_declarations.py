"""Exchanges and queues: declared by whoever may, looked for by whoever may not."""

from pathlib import Path

import aio_pika
import pytest
from aiormq.exceptions import ChannelPreconditionFailed

from deploy.local.rabbitmq import LocalRabbitMQ
from runtime.amqp import declare
from schemas.topology import Topology
from tests.support.ingest import eventually
from tests.support.least_privilege import make_broker_users
from tests.support.pipeline import environment_for, part

TOPOLOGY = Topology()


async def declare_as(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await declare(channel, TOPOLOGY)
        # The channel that was given is of use afterwards, whatever the broker refused.
        assert not channel.is_closed
        await channel.set_qos(1)


@pytest.mark.timeout(300)  # rabbitmqctl, of which the users need ten, takes seconds each on a busy machine
async def test_a_user_who_may_not_declare_is_told_what_is_missing_and_goes_on_once_it_is_there(
    own_rabbitmq: LocalRabbitMQ, tmp_path: Path
) -> None:
    users = make_broker_users(own_rabbitmq, tmp_path / "passwords", TOPOLOGY.prefix)
    confined = users["ingest"].at(own_rabbitmq.amqp_url)
    with pytest.raises(ConnectionError, match=r"no exchange 'vibes\.callbacks'.*run `vibes-pipeline declare`"):
        await declare_as(confined)

    environment = environment_for(tmp_path, "postgresql://127.0.0.1:9/none", confined, ingest_port=0)
    async with part("ingest", environment=environment) as ingest:
        await ingest.logged("broker.disconnected")
        assert "run `vibes-pipeline declare`" in ingest.events("broker.disconnected")[0]["detail"]

        before = len(ingest.events("broker.connected"))
        await declare_as(users["declare"].at(own_rabbitmq.amqp_url))

        await eventually(lambda: len(ingest.events("broker.connected")) > before, "ingest has tried again")
    await declare_as(confined)

    # One queue of several that was deleted is named, too.
    own_rabbitmq.ctl("delete_queue", TOPOLOGY.dead_letters.name)
    with pytest.raises(ConnectionError, match=r"no queue 'vibes\.dead-letters'"):
        await declare_as(confined)


async def test_a_queue_of_another_kind_is_noticed_by_whoever_may_declare(amqp_url: str) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        await (await connection.channel()).declare_queue(TOPOLOGY.crm_changes.name, durable=True)
    with pytest.raises(ChannelPreconditionFailed):
        await declare_as(amqp_url)
