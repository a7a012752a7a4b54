"""Whether every acknowledged callback is accounted for. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from schemas.errors import ConfigurationError

_OUTCOMES = {"a": "applied", "d": "duplicate", "q": "quarantined", "x": "dead_lettered"}


@dataclass(slots=True)
class Account:
    """The callbacks of one company."""

    company_key: str
    acknowledged: int = 0
    """What the ingest processes report to have acknowledged."""
    applied: int = 0
    duplicates: int = 0
    quarantined: int = 0
    dead_lettered: int = 0
    missing: int = 0
    """Acknowledged, but not dealt with: on their way while queues hold messages, lost when they do not."""
    unreported: int = 0
    """Dealt with, but not reported as acknowledged: answered 503 after all and stored all the same, or acknowledged by
    an ingest process that was killed before it could report."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Add what one ingest process did."""
        dealt_with = 0
        for outcome in ("applied", "duplicates", "quarantined", "dead_lettered"):
            setattr(self, outcome, getattr(self, outcome) + row[outcome])
            dealt_with += row[outcome]
        self.acknowledged += row["acknowledged"]
        self.missing += max(row["acknowledged"] - dealt_with, 0)
        self.unreported += max(dealt_with - row["acknowledged"], 0)


def balance(rows: Iterable[Mapping[str, Any]]) -> list[Account]:
    """Return the accounts of all companies from the rows of `account_callbacks`."""
    accounts: dict[str, Account] = {}
    for row in rows:
        accounts.setdefault(row["company_key"], Account(row["company_key"])).add(row)
    return list(accounts.values())


@dataclass(slots=True)
class ReceiptCheck:
    """What became of callbacks known by their receipts."""

    checked: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_OUTCOMES.values(), 0))
    missing: list[str] = field(default_factory=list)
    """Receipts of callbacks that were never dealt with."""
    inconsistent: list[str] = field(default_factory=list)
    """Receipts of callbacks that are not where their outcome says: an applied one in the event log only, one that was
    set aside among the dead letters only, a duplicate in neither."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row of `account_receipts`."""
        self.checked += 1
        receipt = f"{row['message_id']}/{row['position']}"
        outcome = _OUTCOMES.get(row["outcome"] or "")
        if outcome is None:
            self.missing.append(receipt)
            return
        self.outcomes[outcome] += 1
        expected = (outcome == "applied", outcome in ("quarantined", "dead_lettered"))
        if (row["logged"], row["set_aside"]) != expected:
            self.inconsistent.append(receipt)


def parse_receipts(lines: Iterable[str]) -> Sequence[tuple[UUID, int]]:
    """Read receipts, one a line; blank lines are skipped. Raises ConfigurationError with the line's number."""
    receipts = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        message_id, _, position = text.partition("/")
        try:
            receipts.append((UUID(message_id), int(position)))
        except ValueError:
            raise ConfigurationError(
                f"--receipts, line {number}: not a receipt. Example: 01932b1e-8d5a-7c3e-9f00-0a1b2c3d4e5f/0"
            ) from None
    return receipts
