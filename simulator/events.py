"""An event: what one callback carries, ready to be sent."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CALLBACK_TYPES: Final = (
    "ack_participant_added",
    "ack_participant_changed",
    "company_participant_added",
    "company_participant_changed",
    "event_processed",
    "person_added",
    "person_updated",
    "device_added",
    "device_removed",
    "device_updated",
    "subscription_added",
    "subscription_removed",
    "subscription_list_added",
    "subscription_list_updated",
    "unmatched_message_received",
    "wallet_item_install",
    "wallet_item_remove",
)

_FIRST_ATTEMPT: Final = b'"delivery_attempt":"1"'


class Kind(StrEnum):
    """What sort of thing an entry of the ledger is about."""

    EVENT = "event"
    MALFORMED = "malformed"
    MISSING_EVENT_ID = "missing_event_id"
    UNKNOWN_TYPE = "unknown_type"
    DOCUMENTED = "documented"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Event:
    """One event and its body.

    `callback_type` is what a receiver reads from the body: callback_type, else event_type. `fact` is what the event
    is really about, where the two differ, and what registrations are matched with. `parameter` is the list, campaign,
    app or the like that narrows a registration. `variant` names what is special about the body.
    """

    kind: Kind
    callback_type: str | None
    event_id: str | None
    body: bytes
    parameter: str | None = None
    variant: str | None = None
    fact: str | None = None

    def body_of_attempt(self, attempt: int) -> bytes:
        """Return the body of the n-th attempt: bodies of the old style count them in `delivery_attempt`."""
        if attempt == 1:
            return self.body
        return self.body.replace(_FIRST_ATTEMPT, b'"delivery_attempt":"%d"' % attempt, 1)

    @property
    def counts_attempts(self) -> bool:
        """Whether the body tells the number of the attempt."""
        return _FIRST_ATTEMPT in self.body
