"""The three-node cluster that chaos uses, for real."""

import time
from collections.abc import Callable, Iterator

import aio_pika
import pytest

from deploy.local.cluster import LocalCluster
from deploy.local.rabbitmq import LocalRabbitMQ
from deploy.local.workspace import Workspace

pytestmark = pytest.mark.long
_QUEUE = "a-queue"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with Workspace() as workspace:
        cluster = LocalCluster(workspace)
        cluster.start()
        yield cluster


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


async def publish(node: LocalRabbitMQ) -> None:
    connection = await aio_pika.connect(node.amqp_url)
    async with connection:
        channel = await connection.channel()
        await channel.declare_queue(_QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"", delivery_mode=2), _QUEUE)


@pytest.mark.timeout(300)  # starts three nodes, which takes a busy machine half a minute, and some of them again
async def test_a_queue_outlives_any_one_node(cluster: LocalCluster) -> None:
    await publish(cluster.nodes[1])
    assert cluster.members(_QUEUE) == {node.node: True for node in cluster.nodes}

    killed = cluster.leader(_QUEUE)
    assert killed is not None
    cluster.sync_declarations()
    killed.kill()
    wait_for(lambda: cluster.leader(_QUEUE) not in (None, killed))
    await publish(next(node for node in cluster.nodes if node is not killed))
    assert cluster.living == [node for node in cluster.nodes if node is not killed]

    cluster.start()
    wait_for(lambda: all(cluster.members(_QUEUE).values()))
    cut = cluster.leader(_QUEUE)
    assert cut is not None
    others = [node for node in cluster.nodes if node is not cut]
    cluster.cut_off(cut)
    wait_for(lambda: cluster.sees(cut) == set() and cluster.sees(others[0]) == {node.node for node in others})
    with pytest.raises(OSError, match="Connect call failed"):
        await publish(cut)
    wait_for(lambda: cluster.leader(_QUEUE) in others)
    await publish(others[1])

    cluster.join_again(cut)
    cluster.wait_until_whole()
    wait_for(lambda: all(cluster.members(_QUEUE).values()))
    assert cluster.queue_depths() == {_QUEUE: 3}
