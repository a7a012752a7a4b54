"""The message "person X is due": a hint that the outbox has work for one person.

It carries no state. Whoever receives it reads the latest from the database, so a message too many does no harm and a
lost one is only a delay: the sweep of the person workers publishes it again.
"""

from dataclasses import dataclass
from uuid import UUID

import orjson

from schemas.errors import MessageError
from schemas.versions import check_version

VERSION = 1
CONTENT_TYPE = "application/json"
ROUTING_KEY = "person"
"""Under which the message is published to `Topology.syncs`."""
BULK_ROUTING_KEY = "bulk"
"""The same for a person that is due because of an import."""


@dataclass(frozen=True, slots=True)
class PersonDue:
    """The key of one row of `person_sync`."""

    company_key: str
    person_uid: UUID


def encode(due: PersonDue) -> bytes:
    """Return the body of the broker message."""
    # str(): asyncpg gives a UUID of its own class, which orjson does not know.
    return orjson.dumps({"version": VERSION, "company_key": due.company_key, "person_uid": str(due.person_uid)})


def decode(body: bytes) -> PersonDue:
    """Read what `encode` of this or a neighbouring release wrote; unknown fields are ignored.

    Raises LaterVersionError for one of a later release, and MessageError `unreadable_person_due` or `unknown_version`
    when the message is not one of ours.
    """
    try:
        content = orjson.loads(body)
        check_version(content["version"], VERSION)
        company_key, person_uid = content["company_key"], UUID(content["person_uid"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise MessageError("unreadable_person_due", type(error).__name__) from None
    if not isinstance(company_key, str) or not company_key or "\0" in company_key:
        raise MessageError("unreadable_person_due", "company_key is not a text that names a company")
    return PersonDue(company_key, person_uid)
