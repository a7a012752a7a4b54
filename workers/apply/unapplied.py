"""Which callbacks a worker has taken and not applied yet, as far as their age goes."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from schemas.broker_message import CallbackMessage
from schemas.errors import ServiceError


class Unapplied:
    """The oldest callback of the batches that are under way, of one queue.

    Deliveries that wait for a batch came after those that are in one, so they need not be looked at.
    """

    def __init__(self) -> None:
        self._under_way: list[datetime] = []
        self._given_back: list[datetime] = []

    @property
    def oldest(self) -> datetime | None:
        """When the oldest was received. None: there is none."""
        return min((*self._under_way, *self._given_back), default=None)

    @contextmanager
    def batch(self, messages: Iterable[CallbackMessage]) -> Iterator[None]:
        """Have these messages for a while; with a ServiceError they are given back, and still not applied."""
        # A message's first callback is its oldest.
        oldest = min((message.callbacks[0].received_at for message in messages if message.callbacks), default=None)
        if oldest is None:
            yield
            return
        self._under_way.append(oldest)
        try:
            yield
        except ServiceError:
            self._given_back.append(oldest)
            raise
        finally:
            self._under_way.remove(oldest)

    def take_again(self) -> None:
        """Forget what was given back: it is delivered again, to this worker or to another."""
        self._given_back.clear()
