"""What goes into one batch, and when it is closed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aio_pika.abc import AbstractIncomingMessage

from runtime.settings import Settings
from schemas.broker_message import CallbackMessage, decode
from schemas.errors import LaterVersionError, MessageError

Message = TypeVar("Message")

SUSPECT_DELIVERIES = 5
"""A message delivered more often than this may be what crashes its workers: it forms a batch of its own, so that its
batch mates are applied and acked without it."""


@dataclass(frozen=True, slots=True)
class Content(Generic[Message]):
    """What the messages of a queue hold."""

    decode: Callable[[bytes], Message]
    """Reads a message; raises MessageError when it is none of ours."""
    count: Callable[[Message], int]
    """How many items are in it: callbacks, or changes of the CRM."""


CALLBACKS: Content[CallbackMessage] = Content(decode, lambda message: len(message.callbacks))


@dataclass(frozen=True, slots=True)
class Limits:
    """What closes a batch."""

    items: int
    bytes: int
    wait_seconds: float
    """How long the first message of a batch waits for more."""


def limits_of(settings: Settings) -> Limits:
    """Return the configured limits; they are the same for callbacks and for changes of the CRM."""
    return Limits(settings.apply_batch_callbacks, settings.apply_batch_bytes, settings.apply_batch_wait_seconds)


@dataclass(slots=True)
class Batch(Generic[Message]):
    """Messages to be applied in one transaction, and acked together."""

    content: Content[Message]
    messages: list[Message] = field(default_factory=list)
    unreadable: list[tuple[AbstractIncomingMessage, MessageError]] = field(default_factory=list)
    items: int = 0
    bytes: int = 0
    is_suspect: bool = False
    """Whether it is a message alone that may be what crashes its workers."""
    carriers: list[Mapping[str, Any]] = field(default_factory=list)
    """The headers of its messages, which tell what they are part of."""
    _last: AbstractIncomingMessage | None = None

    def add(self, incoming: AbstractIncomingMessage) -> None:
        """Take a message in."""
        self._last = incoming
        self.carriers.append(incoming.headers)
        self.is_suspect = is_suspect(incoming)
        self.bytes += len(incoming.body)
        try:
            message = self.content.decode(incoming.body)
        except MessageError as problem:
            self.unreadable.append((incoming, problem))
        else:
            self.messages.append(message)
            self.items += self.content.count(message)

    @property
    def later(self) -> int:
        """How many of its messages a later release wrote."""
        return sum(isinstance(problem, LaterVersionError) for _, problem in self.unreadable)

    async def ack(self) -> None:
        """Ack all its messages at once: batches are settled in the order of delivery."""
        assert self._last is not None  # noqa: S101 - a batch is made with its first message
        await self._last.ack(multiple=True)

    def is_full(self, limits: Limits) -> bool:
        """Whether the batch should be closed."""
        return self.items >= limits.items or self.bytes >= limits.bytes


def is_suspect(incoming: AbstractIncomingMessage) -> bool:
    """Whether the message was delivered suspiciously often (quorum queues count deliveries)."""
    count = incoming.headers.get("x-delivery-count", 0)
    return isinstance(count, int) and count > SUSPECT_DELIVERIES
