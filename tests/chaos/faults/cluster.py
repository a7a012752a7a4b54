"""A cluster of three RabbitMQ nodes loses one; a load balancer stands in front of them."""

import asyncio
from dataclasses import dataclass
from random import Random

from deploy.local.cluster import LocalCluster
from deploy.local.rabbitmq import LocalRabbitMQ
from tests.chaos.fault import Fault, Link, Needs
from tests.chaos.world import World

_LINKS: frozenset[Link] = frozenset({("ingest", "broker"), ("apply", "broker"), ("person-sync", "broker")})
_LASTS_SECONDS = (0.5, 3.0)
_SECONDS_OF_CALLBACKS = 2.0
"""How much is acknowledged while a node is missing, before it comes back."""


@dataclass
class LeaderLost(Fault):
    """The node that leads the queue of callbacks is killed, or cut off from the other two, but not from its clients.

    The others go on: callbacks are acknowledged while it is missing.
    """

    name: str
    cut_off: bool

    def needs(self) -> Needs:
        return Needs(proxies=_LINKS, cluster=True)

    async def inject(self, world: World, random: Random) -> None:
        cluster = world.rabbitmq
        assert isinstance(cluster, LocalCluster)
        for link in _LINKS:
            world.proxies[link].aim_at(*(node.amqp_url for node in cluster.nodes))
        queue = f"{world.stack.environment['VIBES_PIPELINE_QUEUE_PREFIX']}.apply.0"
        await asyncio.to_thread(cluster.sync_declarations)
        await world.until(lambda: _all_online(cluster, queue), "every member of the queue is online")
        lost = await asyncio.to_thread(cluster.leader, queue)
        assert lost is not None
        await asyncio.to_thread(cluster.cut_off if self.cut_off else LocalRabbitMQ.kill, lost)
        try:
            if self.cut_off:
                await world.until(lambda: _is_alone(cluster, lost), "the node has paused, and the others go on")
            await world.until(lambda: _has_leader(cluster, queue, but=lost), "another node leads the queue")
            await world.acknowledged(int(self.rate * _SECONDS_OF_CALLBACKS))
            await world.last(random.uniform(*_LASTS_SECONDS))
        finally:
            await asyncio.to_thread(cluster.join_again if self.cut_off else LocalRabbitMQ.start, lost)
        await asyncio.to_thread(cluster.wait_until_whole)
        await world.until(lambda: _all_online(cluster, queue), "every member of the queue is online")


async def _has_leader(cluster: LocalCluster, queue: str, but: LocalRabbitMQ) -> bool:
    leader = await asyncio.to_thread(cluster.leader, queue)
    return leader is not None and leader is not but


async def _all_online(cluster: LocalCluster, queue: str) -> bool:
    members = await asyncio.to_thread(cluster.members, queue)
    return len(members) == len(cluster.nodes) and all(members.values())


async def _is_alone(cluster: LocalCluster, node: LocalRabbitMQ) -> bool:
    views = await asyncio.gather(*(asyncio.to_thread(cluster.sees, each) for each in cluster.nodes))
    return all(
        not view if each is node else node.node not in view for each, view in zip(cluster.nodes, views, strict=True)
    )


FAULTS = (LeaderLost("cluster_leader_killed", cut_off=False), LeaderLost("cluster_node_cut_off", cut_off=True))
