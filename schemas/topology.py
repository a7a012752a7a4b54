"""What exists in the broker, as data. Every process declares all of it at start; declaring is idempotent.

Quorum queues only: a confirmed message is on a majority of the nodes' disks. Dead-lettering is at-least-once, which
RabbitMQ offers only together with `overflow: reject-publish`: a queue over its limit (set by policy) answers a publish
with a nack, hence ingest answers 503 and Vibes delivers again.
"""

from dataclasses import dataclass, field

DELIVERY_LIMIT = 50
"""Deliveries of one message before the broker sets it aside. High on purpose: on some broker versions a consumer that
is killed or disconnected counts as a delivery too, and innocent messages must survive a crash loop. A message that
makes a worker crash is found long before: see `workers.apply.batches`."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    type: str = "direct"


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue and its bindings."""

    name: str
    bindings: tuple[tuple[Exchange, str], ...]
    arguments: dict[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topology:
    """All exchanges and queues of one installation.

    `prefix` starts every name, so that several installations can share a broker. `apply_queues` spreads the callbacks
    over that many queues, and so over the nodes of a cluster.
    """

    prefix: str = "vibes"
    apply_queues: int = 1

    @property
    def callbacks(self) -> Exchange:
        """Where ingest publishes; the routing key is the number of an apply queue."""
        return Exchange(f"{self.prefix}.callbacks")

    @property
    def crm(self) -> Exchange:
        """Where changes of the CRM are published."""
        return Exchange(f"{self.prefix}.crm")

    @property
    def syncs(self) -> Exchange:
        """Where "this person is due" messages are published."""
        return Exchange(f"{self.prefix}.person-sync")

    @property
    def dead(self) -> Exchange:
        """Where the broker puts messages that were delivered too often."""
        return Exchange(f"{self.prefix}.dead-letters", "fanout")

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All exchanges."""
        return (self.callbacks, self.crm, self.syncs, self.dead)

    def apply_queue(self, number: int) -> Queue:
        """Return the apply queue of that number, 0 to apply_queues - 1."""
        return Queue(
            f"{self.prefix}.apply.{number}",
            ((self.callbacks, str(number)),),
            self._work_queue_arguments(),
        )

    @property
    def apply(self) -> tuple[Queue, ...]:
        """The queues the apply workers consume."""
        return tuple(self.apply_queue(number) for number in range(self.apply_queues))

    @property
    def crm_changes(self) -> Queue:
        """Changes of the CRM; the apply workers consume it."""
        return Queue(f"{self.prefix}.crm", ((self.crm, "crm"),), self._work_queue_arguments())

    @property
    def person_sync(self) -> Queue:
        """Persons that are due because of what just happened; the person workers consume it."""
        return Queue(f"{self.prefix}.person-sync", ((self.syncs, "person"),), self._work_queue_arguments())

    @property
    def person_sync_bulk(self) -> Queue:
        """Persons that are due because of an import; the person workers deal with them when there is room."""
        return Queue(f"{self.prefix}.person-sync-bulk", ((self.syncs, "bulk"),), self._work_queue_arguments())

    @property
    def dead_letters(self) -> Queue:
        """Messages delivered too often; the apply workers move them to the `dead_letters` table."""
        return Queue(f"{self.prefix}.dead-letters", ((self.dead, ""),), {"x-queue-type": "quorum"})

    @property
    def queues(self) -> tuple[Queue, ...]:
        """All queues."""
        return (*self.apply, self.crm_changes, self.person_sync, self.person_sync_bulk, self.dead_letters)

    def _work_queue_arguments(self) -> dict[str, str | int]:
        return {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": self.dead.name,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
