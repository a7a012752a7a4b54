"""The message between CRM intake and the apply workers: changes of one company, as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from schemas.crm_change import CrmChange
from schemas.errors import MessageError
from schemas.versions import check_version

VERSION = 1
CONTENT_TYPE = "application/vnd.vibes-pipeline.crm-changes+json"
ROUTING_KEY = "crm"
"""Under which the message is published to `Topology.crm`."""


@dataclass(frozen=True, slots=True)
class CrmMessage:
    """Some changes that arrived together, published and confirmed as one broker message."""

    message_id: UUID
    company_key: str
    received_at: datetime
    """Aware, UTC."""
    bulk: bool
    """Whether an import sent it: what follows from it waits for what does not."""
    changes: Sequence[CrmChange]


def encode(message: CrmMessage) -> bytes:
    """Return the body of the broker message. Times keep their microseconds."""
    return orjson.dumps(
        {
            "version": VERSION,
            "message_id": message.message_id,
            "company_key": message.company_key,
            "received_at": message.received_at,
            "bulk": message.bulk,
            "changes": [
                {
                    "external_person_id": change.external_person_id,
                    "updated_at": change.updated_at,
                    "fields": change.fields,
                }
                for change in message.changes
            ],
        }
    )


def decode(body: bytes) -> CrmMessage:
    """Read what `encode` of this or a neighbouring release wrote; unknown entries are ignored.

    Raises LaterVersionError for one of a later release, and MessageError `unreadable_crm_message` or `unknown_version`
    when the message is not one of ours.
    """
    try:
        content = orjson.loads(body)
        check_version(content["version"], VERSION)
        return CrmMessage(
            message_id=UUID(content["message_id"]),
            company_key=str(content["company_key"]),
            received_at=_moment(content["received_at"]),
            bulk=bool(content["bulk"]),
            changes=[
                CrmChange(str(item["external_person_id"]), _moment(item["updated_at"]), dict(item["fields"]))
                for item in content["changes"]
            ],
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise MessageError("unreadable_crm_message", type(error).__name__) from error


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    return moment
