"""What was sent, and what was acknowledged: the truth that a receiver's accounts are compared with."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

from simulator.events import Event, Kind
from simulator.model import JsonObject


class State(StrEnum):
    """Where an event stands. One acknowledged delivery is enough; the rest is about events without any."""

    PENDING = "pending"
    ACKNOWLEDGED = "acknowledged"
    LOST_4XX = "lost_4xx"
    GAVE_UP = "gave_up"


class Entry:
    """One event sent to one destination, over all its deliveries. Kept small: a run has half a million."""

    __slots__ = (
        "acknowledged",
        "callback_type",
        "event_id",
        "hashes",
        "kind",
        "last_answer",
        "receipts",
        "sent",
        "state",
        "variant",
    )

    def __init__(self, event: Event) -> None:
        self.kind: Kind = event.kind
        self.variant = event.variant
        self.callback_type = event.callback_type
        self.event_id = event.event_id
        self.hashes: tuple[bytes, ...] = ()
        self.receipts: tuple[str, ...] = ()
        self.sent = 0
        self.acknowledged = 0
        self.last_answer: str | None = None
        self.state = State.PENDING

    def note_sent(self, body: bytes) -> None:
        """Note that a request with this body is going out."""
        self.sent += 1
        digest = hashlib.sha256(body).digest()
        if digest not in self.hashes:
            self.hashes += (digest,)

    def note_acknowledged(self, receipt: str | None) -> None:
        """Note that a 2xx came back, with or without an X-Receipt-Id."""
        self.acknowledged += 1
        self.state = State.ACKNOWLEDGED
        if receipt is not None:
            self.receipts += (receipt,)

    def note_lost(self, state: State) -> None:
        """Note that a delivery ended without a 2xx; another one of the same event may have been, or be, luckier."""
        if self.state is not State.ACKNOWLEDGED:
            self.state = state

    def to_json(self, company_key: str) -> JsonObject:
        """Return the line of the ledger's export. `sha256` is of the first body sent, `sha256_others` of later ones."""
        first, *others = (digest.hex() for digest in self.hashes) if self.hashes else (None,)
        return {
            "company_key": company_key,
            "callback_type": self.callback_type,
            "event_id": self.event_id,
            "kind": self.kind,
            "variant": self.variant,
            "malformed": self.kind is Kind.MALFORMED,
            "sha256": first,
            "sha256_others": others,
            "sent": self.sent,
            "acknowledged": self.acknowledged,
            "receipts": self.receipts,
            "last_answer": self.last_answer,
            "state": self.state,
        }


class Ledger:
    """The entries of one company, in order of generation."""

    def __init__(self, company_key: str) -> None:
        self.company_key = company_key
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def open(self, event: Event) -> Entry:
        """Open an entry for an event that is about to be sent."""
        entry = Entry(event)
        self._entries.append(entry)
        return entry

    def event_ids(self) -> set[str]:
        """Every event_id that has an entry."""
        return {entry.event_id for entry in self._entries if entry.event_id is not None}

    def states(self) -> dict[str, int]:
        """How many entries stand where."""
        return dict(Counter(str(entry.state) for entry in self._entries))
