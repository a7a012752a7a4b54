"""Which rows of the outbox arguments name."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from cli.persons import lookup
from cli.persons.lookup import Row
from runtime.postgres import Connection
from workers.mirror.identity import crm_record_uid


@dataclass(frozen=True, slots=True)
class Named:
    """An argument, and the row of the outbox it names; None when there is none."""

    argument: str = field(repr=False)
    row: Row | None = field(repr=False)

    @property
    def uid(self) -> UUID | None:
        """Whom the row is about."""
        return self.row["person_uid"] if self.row else None


async def find_named(connection: Connection, company_key: str, arguments: Sequence[str]) -> list[Named]:
    """Return what each argument names: a record by the CRM's id; else whatever has that uid."""
    candidates = {argument: _uids(company_key, argument) for argument in dict.fromkeys(arguments)}
    rows = await lookup.syncs(connection, company_key, [uid for uids in candidates.values() for uid in uids])
    by_uid = {row["person_uid"]: row for row in rows}
    return [
        Named(argument, next((by_uid[uid] for uid in uids if uid in by_uid), None))
        for argument, uids in candidates.items()
    ]


def label(row: Row) -> str:
    """Return what names a row on the command line."""
    return str(row["external_person_id"] or row["person_uid"])


def _uids(company_key: str, argument: str) -> list[UUID]:
    uids = [crm_record_uid(company_key, argument)]
    with suppress(ValueError):  # an external id that does not look like a uid
        uids.append(UUID(argument))
    return uids
