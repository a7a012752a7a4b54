"""What an export has to write, decided by what the database holds and what the directory holds."""

from collections.abc import Mapping
from dataclasses import dataclass

from cli.export.days import Day, DaySpan, in_order


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells whether a day's rows have changed since they were written."""

    rows: int
    digest: str
    """Equal for equal rows in equal columns."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about one dataset."""

    dataset: str
    wanted: dict[Day, Fingerprint]
    """What the database holds, within the days that were asked for."""
    write: list[Day]
    """Days to be read and written."""
    ready: list[Day]
    """Days that a run before has written, but did not come to publish."""
    remove: list[Day]
    """Days that no longer have any rows."""

    @property
    def rows(self) -> int:
        """How many rows are to be written."""
        return sum(self.wanted[day].rows for day in self.write)

    @property
    def changes(self) -> bool:
        """Whether the published files change at all."""
        return bool(self.write or self.ready or self.remove)


def plan_dataset(
    dataset: str,
    wanted: Mapping[Day, Fingerprint],
    published: Mapping[Day, Fingerprint | None],
    written: Mapping[Day, Fingerprint | None],
    span: DaySpan,
) -> Plan:
    """Decide what to do about a dataset.

    `published` and `written` are the files of the dataset and of the unfinished run before; None stands for a file that
    cannot be read. Days outside the span are left alone, whatever the database holds.
    """
    stale = [day for day in sorted(wanted, key=in_order) if published.get(day) != wanted[day]]
    return Plan(
        dataset=dataset,
        wanted=dict(wanted),
        write=[day for day in stale if written.get(day) != wanted[day]],
        ready=[day for day in stale if written.get(day) == wanted[day]],
        remove=[day for day in sorted(published, key=in_order) if day not in wanted and span.covers(day)],
    )
