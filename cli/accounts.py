"""Whether every acknowledged callback is accounted for. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate, groupby, pairwise
from operator import itemgetter
from typing import Any
from uuid import UUID

from schemas.errors import ConfigurationError

_OUTCOMES = {"a": "applied", "d": "duplicate", "q": "quarantined", "x": "dead_lettered"}
_DEALT_WITH = ("applied", "duplicates", "quarantined", "dead_lettered")
_EXAMPLES = 100


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

    def add(self, row: Mapping[str, Any], difference: int) -> None:
        """Add what one ingest process dealt with, and how many more it has acknowledged (fewer: below 0)."""
        dealt_with = 0
        for outcome in _DEALT_WITH:
            setattr(self, outcome, getattr(self, outcome) + row[outcome])
            dealt_with += row[outcome]
        self.acknowledged += dealt_with + difference
        self.missing += max(difference, 0)
        self.unreported += max(-difference, 0)


@dataclass(slots=True)
class HourAccount(Account):
    """The callbacks of one company that came in one hour."""

    hour: datetime | None = None
    """Its beginning."""


def balance(rows: Iterable[Mapping[str, Any]]) -> list[Account]:
    """Return the accounts of all companies from the rows of `account_callbacks`."""
    accounts: dict[str, Account] = {}
    for row in rows:
        account = accounts.setdefault(row["company_key"], Account(row["company_key"]))
        account.add(row, row["acknowledged"] - _dealt_with(row))
    return list(accounts.values())


def balance_hours(
    rows: Iterable[Mapping[str, Any]], covers: Callable[[datetime], bool]
) -> tuple[list[Account], list[HourAccount]]:
    """Return the accounts of all companies, whole and by hour, over the hours that are covered.

    `rows` are those of `account_hours`: every hour of a process, in order. A process tells how many it has acknowledged
    since its start, and the last ones of an hour it tells in the next. So the hours are not compared one by one. What
    does not balance over all hours of a process is put down to the hour in which that shows; all other callbacks that
    were dealt with were acknowledged, in their hour. With a difference, the hour may be wrong by what was under way at
    its turn; the sum is not.
    """
    accounts: dict[str, Account] = {}
    hours: dict[tuple[str, datetime], HourAccount] = {}
    for _, group in groupby(rows, itemgetter("company_key", "ingest_id")):
        told = list(group)
        for row, difference in zip(told, _differences(told), strict=True):
            company_key, hour = row["company_key"], row["hour"]
            if covers(hour):
                accounts.setdefault(company_key, Account(company_key)).add(row, difference)
                account = hours.setdefault((company_key, hour), HourAccount(company_key, hour=hour))
                account.add(row, difference)
    return list(accounts.values()), [hours[key] for key in sorted(hours)]


def _differences(rows: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    """Share out over the hours of a process what it lacks in the end; below 0: what it has too many."""
    acknowledged = accumulate((row["acknowledged"] for row in rows), max)
    dealt_with = accumulate(map(_dealt_with, rows))
    open_at_end = [told - dealt for told, dealt in zip(acknowledged, dealt_with, strict=True)]
    final = open_at_end[-1]
    # What was under way at the end of an hour, and so not told yet, makes that hour's number smaller, never greater.
    if final > 0:
        shown = [min(most, final) for most in accumulate(open_at_end, max, initial=0)]
    else:
        shown = [0, *reversed([min(most, 0) for most in accumulate(reversed(open_at_end), max)])]
    return (after - before for before, after in pairwise(shown))


def _dealt_with(row: Mapping[str, Any]) -> int:
    return sum(row[outcome] for outcome in _DEALT_WITH)


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


@dataclass(slots=True)
class PositionCheck:
    """Where all callbacks of a span of time are."""

    checked: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_OUTCOMES.values(), 0))
    inconsistent: int = 0
    """Callbacks that are not, once, where their outcome says; and what is in the log or among the dead letters without
    an outcome."""
    examples: list[str] = field(default_factory=list)
    """Receipts of some that are inconsistent."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row of `account_positions`."""
        self.checked += row["callbacks"]
        if row["outcome"] in _OUTCOMES:
            self.outcomes[_OUTCOMES[row["outcome"]]] += row["callbacks"]
        if row["inconsistent"] is not None:
            self.inconsistent += row["callbacks"]
            self.examples += row["inconsistent"][: _EXAMPLES - len(self.examples)]


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
