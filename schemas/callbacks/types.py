"""The 17 callback types, and how the type of a body is told."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class CallbackType(StrEnum):
    """Every type that can be registered (docs/vibes.md, "Callback types")."""

    ACK_PARTICIPANT_ADDED = "ack_participant_added"
    ACK_PARTICIPANT_CHANGED = "ack_participant_changed"
    COMPANY_PARTICIPANT_ADDED = "company_participant_added"
    COMPANY_PARTICIPANT_CHANGED = "company_participant_changed"
    EVENT_PROCESSED = "event_processed"
    PERSON_ADDED = "person_added"
    PERSON_UPDATED = "person_updated"
    DEVICE_ADDED = "device_added"
    DEVICE_REMOVED = "device_removed"
    DEVICE_UPDATED = "device_updated"
    SUBSCRIPTION_ADDED = "subscription_added"
    SUBSCRIPTION_REMOVED = "subscription_removed"
    SUBSCRIPTION_LIST_ADDED = "subscription_list_added"
    SUBSCRIPTION_LIST_UPDATED = "subscription_list_updated"
    UNMATCHED_MESSAGE_RECEIVED = "unmatched_message_received"
    WALLET_ITEM_INSTALL = "wallet_item_install"
    WALLET_ITEM_REMOVE = "wallet_item_remove"


def told_type(body: Mapping[str, Any]) -> str | None:
    """Return the type a body tells of itself: `callback_type`, else the top-level `event_type`, else its payload's.

    `event_processed.event_type` is the customer's own name for an event and never the callback's type. Of the types
    without a name in the body only event_processed is told by its payload alone. None: the body tells none.
    """
    for name in ("callback_type", "event_type"):
        value = body.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip().lower()
    return CallbackType.EVENT_PROCESSED if isinstance(body.get("event_processed"), dict) else None


def known_type(told: str) -> CallbackType | None:
    """Return the callback type of that name, or None when Vibes has added one since."""
    try:
        return CallbackType(told)
    except ValueError:
        return None
