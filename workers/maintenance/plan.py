"""Decide what is to be done about the partitions. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from workers.maintenance.policy import Policy, before

MONTHS_AHEAD = 13
"""Of which there is a partition: as many as a migration makes."""


class Action(StrEnum):
    """What is done about a partition."""

    CREATE = "create"
    THIN = "thin"
    """Remove the bodies, keep the evidence."""
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Month:
    """A monthly partition that is there. `bytes` with its indexes."""

    table: str
    partition: str
    begin: datetime
    end: datetime
    bytes: int


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done about a month of a table. `partition` is its name, once it is there."""

    action: Action
    table: str
    month: date
    partition: str | None = None
    bytes: int = 0


def steps(table: str, months: Iterable[Month], stray: Iterable[date], policy: Policy, now: datetime) -> list[Step]:
    """Return what is to be done about one table, the oldest month first.

    `stray` are the months of rows in the default partition: they get a partition of their own, in which the policy
    reaches them. A month is old when all of it is.
    """
    there = {month.begin.date(): month for month in months}
    wanted = {*_ahead(now), *stray} - there.keys()
    found = [Step(Action.CREATE, table, month) for month in wanted]
    events = table == "callback_events"
    drop_before = before(now, policy.evidence if events else policy.api_calls)
    thin_before = before(now, policy.bodies) if events else None
    for begin, month in there.items():
        if drop_before is not None and month.end <= drop_before:
            found.append(Step(Action.DROP, table, begin, month.partition, month.bytes))
        elif thin_before is not None and month.end <= thin_before:
            found.append(Step(Action.THIN, table, begin, month.partition, month.bytes))
    return sorted(found, key=lambda step: step.month)


def old_months_end(now: datetime, kept: timedelta | None) -> datetime | None:
    """Return the end of the last month that is old as a whole; None: none ever is."""
    cutoff = before(now, kept)
    return None if cutoff is None else cutoff.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _ahead(now: datetime) -> list[date]:
    first = now.year * 12 + now.month - 1
    return [date((first + n) // 12, (first + n) % 12 + 1, 1) for n in range(MONTHS_AHEAD)]
