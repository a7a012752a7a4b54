"""Which events the batches that are under way in this process are claiming."""

from collections.abc import Iterator, Set
from contextlib import contextmanager
from uuid import UUID


class InFlight:
    """Tells a batch which of its events another one is claiming at the moment.

    Duplicates come soon after one another, so two batches that are under way together nearly always share an event. The
    one that asks for it second waits until the other has committed, and it had better do all it can before.
    """

    def __init__(self) -> None:
        self._batches: list[Set[UUID]] = []

    @contextmanager
    def batch(self, keys: Set[UUID]) -> Iterator[Set[UUID]]:
        """Be a batch of events with these keys for a while; gives those that another batch has already."""
        elsewhere = frozenset(key for others in self._batches for key in keys & others)
        self._batches.append(keys)
        try:
            yield elsewhere
        finally:
            # By identity: two batches may have equal keys.
            self._batches = [others for others in self._batches if others is not keys]
