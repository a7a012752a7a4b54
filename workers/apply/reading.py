"""From a broker message to the events in it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from runtime.companies import Companies
from schemas.broker_message import CallbackMessage, ReceivedCallback
from schemas.callbacks.events import Event, read_event
from schemas.errors import MessageError


class Outcome(Enum):
    """What became of a callback; the letter is how `callback_messages.outcomes` tells it."""

    APPLIED = "a"
    DUPLICATE = "d"
    QUARANTINED = "q"
    DEAD_LETTERED = "x"


Receipt = tuple[UUID, int]
"""Which callback: the broker message that carried it, and its place in there."""


class ReadCallback(NamedTuple):
    """A callback and the event read from it, or why none could be read."""

    receipt: Receipt
    company_key: str
    received: ReceivedCallback
    event: Event | None
    problem: MessageError | None


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A broker message and its callbacks."""

    message: CallbackMessage
    callbacks: tuple[ReadCallback, ...]


def read_message(message: CallbackMessage, country_of: Callable[[str], str | None]) -> ReadMessage:
    """Read every callback of a message, each on its own: one that cannot be read does not concern the others."""
    country = country_of(message.company_key)
    return ReadMessage(
        message,
        tuple(
            _read_callback(message, position, received, country) for position, received in enumerate(message.callbacks)
        ),
    )


def countries(companies: Companies) -> Callable[[str], str | None]:
    """Return a function that tells a company's default phone country; None for a company no longer configured."""
    known = {company.company_key: company.default_country for company in companies.companies}
    return known.get


def _read_callback(
    message: CallbackMessage, position: int, received: ReceivedCallback, country: str | None
) -> ReadCallback:
    event, problem = None, None
    try:
        event = read_event(
            message.company_key,
            received.body,
            default_country=country,
            content_encoding=received.headers.get("content-encoding"),
        )
    except MessageError as error:
        problem = error
    except Exception as error:  # noqa: BLE001 - one that trips over a bug of ours must not hold up the others
        problem = MessageError("internal_error", type(error).__name__)
    return ReadCallback((message.message_id, position), message.company_key, received, event, problem)
