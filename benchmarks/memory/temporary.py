"""Stacks that leave nothing on services that go on."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.ingest.queues import Queues
from deploy.local.stack import Stack
from schemas.topology import Topology


def topology_of(stack: Stack) -> Topology:
    """Return what a stack has in the broker."""
    return Topology(prefix=stack.environment["VIBES_PIPELINE_QUEUE_PREFIX"])


@contextmanager
def temporary(stack: Stack) -> Iterator[Queues]:
    """Enter the stack, watching the broker; in the end drop the stack's database, and its queues if all went well."""
    with stack, Queues(stack.environment["AMQP_URL"]) as queues:
        try:
            yield queues
            for part in stack.parts.values():
                part.stop()
            queues.delete(queue.name for queue in topology_of(stack).queues)
        finally:
            stack.postgres.drop_database(stack.database_name)
