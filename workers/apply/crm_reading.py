"""From a broker message to the changes of the CRM in it. Pure."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from schemas.crm_change import CUSTOM_FIELD, CrmChange
from schemas.crm_message import CrmMessage, decode
from schemas.errors import MessageError
from workers.apply.batches import Content
from workers.apply.reading import Receipt
from workers.crm.fold import record_of
from workers.crm.store import Told

_NO_FIELDS = ("external_person_id", "updated_at", "custom_fields")


@dataclass(frozen=True, slots=True, eq=False)
class ReadChange:
    """A change and what it tells, or why that could not be read."""

    receipt: Receipt
    """The broker message that carried it, and its place in there."""
    company_key: str
    received_at: datetime
    change: CrmChange
    told: Told | None
    problem: MessageError | None


@dataclass(frozen=True, slots=True)
class ReadChanges:
    """A broker message and its changes."""

    message: CrmMessage
    changes: tuple[ReadChange, ...] = field(repr=False)


def read_changes(body: bytes) -> ReadChanges:
    """Read a message, and every change in it on its own: one that cannot be read does not concern the others.

    Raises MessageError when the message is none of ours.
    """
    message = decode(body)
    if not message.company_key or "\0" in message.company_key:
        raise MessageError("unreadable_crm_message", "company_key is not a text that names a company")
    try:
        message = replace(message, received_at=message.received_at.astimezone(UTC))
    except OverflowError:
        raise MessageError("unreadable_crm_message", "received_at is no time") from None
    return ReadChanges(
        message, tuple(_read_change(message, position, change) for position, change in enumerate(message.changes))
    )


CRM_CHANGES: Content[ReadChanges] = Content(read_changes, lambda read: len(read.changes))


def written_form(change: CrmChange) -> bytes:
    """Return a change as the CRM may send it: what `schemas.crm_change.read_change` reads, as JSON."""
    fields: dict[str, Any] = {"external_person_id": change.external_person_id}
    custom_fields = {}
    for name, value in change.fields.items():
        if name.startswith(CUSTOM_FIELD):
            custom_fields[name.removeprefix(CUSTOM_FIELD)] = value
        else:
            fields.setdefault(name, value)
    if custom_fields:
        fields["custom_fields"] = custom_fields
    return orjson.dumps({**fields, "updated_at": change.updated_at})


def read_written_form(receipt: Receipt, company_key: str, received_at: datetime, body: bytes) -> ReadChange:
    """Read what `written_form` wrote, as part of a message that came in bulk: it waits for what just happened.

    Raises MessageError when the body is none.
    """
    message_id, position = receipt
    try:
        record = orjson.loads(body)
        fields = {name: value for name, value in record.items() if name not in _NO_FIELDS}
        for name, value in record.get("custom_fields", {}).items():
            fields[CUSTOM_FIELD + name] = value
        updated_at = datetime.fromisoformat(record["updated_at"])
        change = CrmChange(str(record["external_person_id"]), updated_at, fields)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise MessageError("unreadable_crm_change", type(error).__name__) from None
    return _read_change(CrmMessage(message_id, company_key, received_at, True, (change,)), position, change)


def _read_change(message: CrmMessage, position: int, change: CrmChange) -> ReadChange:
    told, problem = None, None
    try:
        told = Told(change.external_person_id, record_of(change), message.received_at, message.bulk)
    except MessageError as error:
        problem = error
    except Exception as error:  # noqa: BLE001 - one that trips over a bug of ours must not hold up the others
        problem = MessageError("internal_error", type(error).__name__)
    return ReadChange((message.message_id, position), message.company_key, message.received_at, change, told, problem)
