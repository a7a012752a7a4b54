"""Whether a row is a change, and if not why. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cli.persons.importing.rows import RecordOf, Row
from runtime.companies import Company
from schemas.crm_change import CrmChange, read_change
from schemas.errors import MessageError

_SHOWN_ID = 200


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that is no change. Nothing of its content is here but the external id, by which the CRM finds it."""

    row: int
    line: int
    external_person_id: str = field(repr=False)
    """As the row has it, at most 200 characters; empty when the row could not be read that far."""
    reason: str
    detail: str


class Judge:
    """Judges the rows of one import, the same way at every reading of the file."""

    def __init__(self, record_of: RecordOf, company: Company, started_at: datetime) -> None:
        self._record_of = record_of
        self._company = company
        self._started_at = started_at

    def __call__(self, row: Row) -> CrmChange | Refusal:
        """Return the change of a row, or its refusal.

        A row without an updated_at is as new as the start of the import, and a microsecond newer for each row before
        it: of two rows about one person the last one wins, also when it is sent twice or after a newer one.
        """
        record: Any = None
        try:
            if isinstance(row.content, MessageError):
                raise row.content
            record = self._record_of(row.content)
            received_at = self._started_at + timedelta(microseconds=row.number)
            return read_change(record, received_at, self._company.default_country, self._company.sync.type_of)
        except MessageError as problem:
            return Refusal(row.number, row.line, _id_of(record), problem.reason, problem.detail)


def _id_of(record: Any) -> str:
    value = record.get("external_person_id") if isinstance(record, dict) else None
    return str(value)[:_SHOWN_ID] if isinstance(value, str | int) else ""
