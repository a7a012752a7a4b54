"""Whether the broker can confirm a publish now, and whether it is worth waiting for. No I/O.

All times are the event loop's, in seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ingest.answers import BLOCKED, NOT_CONNECTED, STALLED, Refusal

REFUSED_SECONDS = 11.0
"""How long a queue may refuse messages before another connection is tried. A channel that was refused when a queue's
limit was removed is refused for ever, even when the queue is empty again (seen with RabbitMQ 3.10.8); a new one is not.
Longer than it takes until the wait between two connections starts anew (`runtime.amqp`)."""


class BrokerHealth:
    """What the publisher knows about the broker.

    A broker that went away a moment ago (a restart, a new leader) is waited for: a request may well get its receipt
    within its deadline, and Vibes counts one failure less. Once it has been away for longer than `patience`, requests
    are refused at once: holding Vibes' calls open for nothing makes Vibes slow down.
    """

    def __init__(self, patience: float, max_publishes: int, now: float) -> None:
        self._patience = patience
        self._max_publishes = max_publishes
        self._problem: Refusal | None = NOT_CONNECTED
        self._since = now
        self._publishes: dict[int, float] = {}
        self._count = 0
        self._refused: dict[str, float] = {}

    def connected(self) -> None:
        """Note that a publish was confirmed on a new connection."""
        self._problem = None

    def disconnected(self, now: float) -> None:
        """Note that the connection is gone."""
        self._refused.clear()
        self._note(NOT_CONNECTED, now)

    def blocked(self, now: float) -> None:
        """Note that the broker stopped to read what we publish (it is short of memory or disk)."""
        self._note(BLOCKED, now)

    @property
    def is_blocked(self) -> bool:
        """Whether the broker does not read what we publish."""
        return self._problem is BLOCKED

    def unblocked(self) -> None:
        """Note that it reads again."""
        if self.is_blocked:
            self._problem = None

    def taken(self, routing_key: str) -> None:
        """Note that a message was confirmed."""
        self._refused.pop(routing_key, None)

    def refused(self, routing_key: str, now: float) -> None:
        """Note that a message was refused, because its queue is full or has no leader.

        Raises ConnectionError when none with this routing key has been confirmed on this connection for too long.
        """
        if now - self._refused.setdefault(routing_key, now) >= REFUSED_SECONDS:
            raise ConnectionError(f"the broker has refused every message for {REFUSED_SECONDS:g} seconds")

    @contextmanager
    def publishing(self, now: float) -> Iterator[None]:
        """Count a publish as under way."""
        self._count += 1
        number = self._count
        self._publishes[number] = now
        try:
            yield
        finally:
            del self._publishes[number]

    def problem(self, now: float) -> Refusal | None:
        """Return what keeps the broker from confirming a publish now, or None."""
        if self._problem is not None:
            return self._problem
        if len(self._publishes) < self._max_publishes:
            return None
        oldest = next(iter(self._publishes.values()))
        return STALLED if now - oldest > self._patience else None

    def hopeless(self, now: float) -> Refusal | None:
        """Return the problem when waiting is not worth it, or None."""
        problem = self.problem(now)
        if problem is None or problem is STALLED:
            return problem
        return problem if now - self._since > self._patience else None

    def _note(self, problem: Refusal, now: float) -> None:
        # A broker that is first blocked and then gone has been of no use since it was blocked.
        if self._problem is None:
            self._since = now
        self._problem = problem
