"""A RabbitMQ cluster of three nodes on this machine, whose nodes can be killed and cut off."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deploy.local.broker import Broker
from deploy.local.errors import ServiceError
from deploy.local.rabbitmq import Commons, LocalRabbitMQ
from deploy.local.workspace import Workspace

_NODES = 3
_WHOLE_SECONDS = 60.0
_POLL_SECONDS = 0.2
_CUT_OFF = "'this node is cut off'"
# Version 3.13 renamed what lists the running nodes of the cluster.
_RUNNING = """
case {rabbit:is_running(), erlang:function_exported(rabbit_nodes, list_running, 0)} of
    {false, _} -> [];
    {true, true} -> rabbit_nodes:list_running();
    {true, false} -> rabbit_mnesia:cluster_nodes(running)
end."""


class LocalCluster(Broker):
    """Three nodes with own names, ports, data directories and cookie, and one epmd; a queue has a member on each.

    A minority that is cut off pauses itself: it closes its connections and takes no others, as is recommended for
    quorum queues. Its address is the first node's: who is to outlive that one needs a load balancer in front of all.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._commons = Commons(nodes=_NODES, epmd_port=workspace.port())
        self.nodes = tuple(
            LocalRabbitMQ(workspace, commons=self._commons, number=number) for number in range(self._commons.nodes)
        )
        super().__init__("")

    @property
    def amqp_url(self) -> str:
        """``amqp://`` address of the first node, known from the first start on."""
        return self.nodes[0].amqp_url

    @property
    def living(self) -> list[LocalRabbitMQ]:
        """Nodes that run, paused ones too."""
        return [node for node in self.nodes if node.pid is not None]

    def start(self) -> None:
        """Start the nodes that do not run; they have found each other on return. The first time about ten seconds."""
        with ThreadPoolExecutor() as pool:
            for started in [pool.submit(node.start) for node in self.nodes]:
                started.result()
        self.wait_until_whole()

    def stop(self) -> None:
        """Stop all nodes gracefully, one after the other; durable data is kept."""
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """End all nodes with SIGKILL."""
        for node in self.nodes:
            node.kill()

    def ctl(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` against the first node that can do it. ServiceError if none can, with the last reason."""
        problem = ServiceError("no node of the cluster is running: start it first")
        for node in self.living:
            try:
                return node.ctl(*arguments)
            except ServiceError as error:  # such as a node that is cut off, and has paused itself
                problem = error
        raise problem

    def block_publishers(self) -> None:
        """Raise the memory alarm on every node."""
        for node in self.living:
            node.block_publishers()

    def unblock_publishers(self) -> None:
        """Clear the memory alarm again."""
        for node in self.living:
            node.unblock_publishers()

    def sync_declarations(self) -> None:
        """Put the queues declared so far on disk, on every node, before a kill."""
        for node in self.living:
            node.sync_declarations()

    def queue_depths(self, vhost: str = "/") -> dict[str, int]:
        """Messages, ready or delivered but not acknowledged, in each queue of a virtual host, at most 250 ms ago."""
        rows = self._queues("name", "messages", vhost=vhost)
        return {str(row["name"]): int(row["messages"] or 0) for row in rows}

    def leader(self, queue: str) -> LocalRabbitMQ | None:
        """Return the node that leads a queue, None if none does now."""
        names = [row["leader"] for row in self._queues("name", "leader") if row["name"] == queue]
        return next((node for node in self.living if node.node in names), None)

    def members(self, queue: str) -> dict[str, bool]:
        """Return the names of the nodes that hold a copy of a queue, and whether each is online."""
        rows = [row for row in self._queues("name", "members", "online") if row["name"] == queue]
        return {str(name): name in row["online"] for row in rows for name in row["members"]}

    def cut_off(self, node: LocalRabbitMQ) -> None:
        """Cut a node off from the others; it and its clients still reach each other."""
        others = [f"'{other.node}'" for other in self.nodes if other is not node]
        # A node can refuse another by a cookie for it alone: no packet filter, and so no privilege, is needed.
        node.ctl("eval", _each(others, f"erlang:set_cookie(N, {_CUT_OFF}), erlang:disconnect_node(N)"))

    def join_again(self, node: LocalRabbitMQ) -> None:
        """Let a node that was cut off find the others; it does so within seconds. See `wait_until_whole`."""
        others = [f"'{other.node}'" for other in self.nodes if other is not node]
        node.ctl("eval", _each(others, f"erlang:set_cookie(N, '{self._commons.cookie}')"))

    def sees(self, node: LocalRabbitMQ) -> set[str]:
        """Return the names of the nodes that one takes for running, itself among them; none if it is paused."""
        answer = node.ctl("eval", _RUNNING)
        return {other.node for other in self.nodes if f"'{other.node}'" in answer}

    def wait_until_whole(self) -> None:
        """Return when every node takes all others for running; ServiceError if that takes too long."""
        wanted = {node.node for node in self.nodes}
        deadline = time.monotonic() + _WHOLE_SECONDS
        while any(self.sees(node) != wanted for node in self.nodes):
            if time.monotonic() > deadline:
                raise ServiceError(f"the cluster was not whole after {_WHOLE_SECONDS:g} s: see the nodes' logs")
            time.sleep(_POLL_SECONDS)

    def _queues(self, *columns: str, vhost: str = "/") -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(
            self.ctl("list_queues", "--vhost", vhost, "--formatter", "json", *columns)
        )
        return rows


def _each(nodes: list[str], action: str) -> str:
    return f"[begin {action} end || N <- [{', '.join(nodes)}]]."
