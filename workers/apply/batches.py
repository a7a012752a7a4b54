"""What goes into one batch, and when it is closed."""

from dataclasses import dataclass, field

from aio_pika.abc import AbstractIncomingMessage

from schemas.broker_message import CallbackMessage, decode
from schemas.errors import MessageError

SUSPECT_DELIVERIES = 5
"""A message delivered more often than this may be what crashes its workers: it forms a batch of its own, so that its
batch mates are applied and acked without it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What closes a batch."""

    callbacks: int
    bytes: int
    wait_seconds: float
    """How long the first message of a batch waits for more."""


@dataclass(slots=True)
class Batch:
    """Messages to be applied in one transaction, and acked together."""

    messages: list[CallbackMessage] = field(default_factory=list)
    unreadable: list[tuple[AbstractIncomingMessage, MessageError]] = field(default_factory=list)
    callbacks: int = 0
    bytes: int = 0
    _last: AbstractIncomingMessage | None = None

    def add(self, incoming: AbstractIncomingMessage) -> None:
        """Take a message in."""
        self._last = incoming
        self.bytes += len(incoming.body)
        try:
            message = decode(incoming.body)
        except MessageError as problem:
            self.unreadable.append((incoming, problem))
        else:
            self.messages.append(message)
            self.callbacks += len(message.callbacks)

    async def ack(self) -> None:
        """Ack all its messages at once: batches are settled in the order of delivery."""
        assert self._last is not None  # noqa: S101 - a batch is made with its first message
        await self._last.ack(multiple=True)

    def is_full(self, limits: Limits) -> bool:
        """Whether the batch should be closed."""
        return self.callbacks >= limits.callbacks or self.bytes >= limits.bytes


def is_suspect(incoming: AbstractIncomingMessage) -> bool:
    """Whether the message was delivered suspiciously often (quorum queues count deliveries)."""
    count = incoming.headers.get("x-delivery-count", 0)
    return isinstance(count, int) and count > SUSPECT_DELIVERIES
