"""What becomes of each record of a request, and the broker messages that carry those that are accepted. Pure."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from ingest.crm.records import Record
from ingest.ids import uuid7
from runtime.companies import Company
from schemas.crm_change import MAX_EXTERNAL_ID, CrmChange, read_change
from schemas.crm_message import CrmMessage, encode
from schemas.errors import MessageError
from schemas.values import read_text

MAX_CHANGES = 500
"""Of one broker message."""
MAX_MESSAGE_BYTES = 1024 * 1024
_HEAD_BYTES = 1024
_CHANGE_BYTES = 100
"""What a message holds beside its changes, and a change beside its id and its fields, at most."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A broker message, ready to be published."""

    message_id: UUID
    body: bytes


class Verdicts:
    """Judges records one by one.

    `results` has an entry for each record, or for each that is refused when `only_refused`; `refused` counts these by
    reason. `parcels` is complete after `close`.
    """

    def __init__(self, company: Company, received_at: datetime, *, bulk: bool, only_refused: bool) -> None:
        self.count = 0
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.results: list[dict[str, Any]] = []
        self.parcels: list[Parcel] = []
        self._company = company
        self._received_at = received_at
        self._bulk = bulk
        self._only_refused = only_refused
        self._changes: list[CrmChange] = []
        self._size = 0

    def add(self, record: Record) -> None:
        """Judge the next record."""
        index = self.count
        self.count += 1
        try:
            change = self._read(record, index)
        except MessageError as problem:
            self.refused[problem.reason] += 1
            result = {"index": index, "status": "refused", "reason": problem.reason, "detail": problem.detail}
            self.results.append(result | _whose(record.value))
            return
        self.accepted += 1
        if not self._only_refused:
            self.results.append({"index": index, "external_person_id": change.external_person_id, "status": "accepted"})
        self._pack(change)

    def close(self) -> None:
        """Complete the last message."""
        if self._changes:
            message = CrmMessage(uuid7(), self._company.company_key, self._received_at, self._bulk, self._changes)
            self.parcels.append(Parcel(message.message_id, encode(message)))
            self._changes = []
            self._size = 0

    def answer(self) -> dict[str, Any]:
        """Return what the sender is told."""
        return {"accepted": self.accepted, "refused": self.refused.total(), "results": self.results}

    def _read(self, record: Record, index: int) -> CrmChange:
        if record.problem:
            raise record.problem
        # Records without a time of their own are as new as their place in the request: the last one is the newest.
        moment = self._received_at + timedelta(microseconds=index)
        return read_change(record.value, moment, self._company.default_country, self._company.sync.type_of)

    def _pack(self, change: CrmChange) -> None:
        size = len(orjson.dumps((change.external_person_id, change.fields))) + _CHANGE_BYTES
        if len(self._changes) == MAX_CHANGES or self._size + size > MAX_MESSAGE_BYTES - _HEAD_BYTES:
            self.close()
        self._changes.append(change)
        self._size += size


def _whose(value: object) -> dict[str, str]:
    """Return the id of a record that is refused, as far as it can be told."""
    external_person_id = read_text(value.get("external_person_id")) if isinstance(value, dict) else None
    short = external_person_id is not None and len(external_person_id) <= MAX_EXTERNAL_ID
    return {"external_person_id": external_person_id} if external_person_id and short else {}
