"""The days an export is divided into, and how their directories are named."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

from schemas.errors import ConfigurationError

Day: TypeAlias = date | None
"""A day in UTC. None: rows that are about no day."""

_PREFIX = "day="
_NO_DAY = "__HIVE_DEFAULT_PARTITION__"
"""What Hive, and whatever reads its layout, takes for NULL."""

_AGO = re.compile(r"(\d{1,6})([dw])")
_DAYS = {"d": 1, "w": 7}
_EXAMPLE = "a day such as 2024-03-01 (UTC), or how long ago: 7d, 4w"


@dataclass(frozen=True, slots=True)
class DaySpan:
    """Days from `since` (None: ever) until `until`, which does not belong to it (None: for ever)."""

    since: date | None = None
    until: date | None = None

    def covers(self, day: Day) -> bool:
        """Tell whether a day belongs to the span. No day belongs only to the span of all times."""
        if day is None:
            return self == DaySpan()
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


def read_days(since: str | None, until: str | None, today: date) -> DaySpan:
    """Read the options --since and --until. Raises ConfigurationError."""
    span = DaySpan(_read("--since", since, today), _read("--until", until, today))
    if span.since and span.since > today:
        raise ConfigurationError(f"--since {since}: has not come yet; today is {today} (UTC)")
    if span.since and span.until and span.since >= span.until:
        raise ConfigurationError(f"--until {until}: not after --since {since}; its day is the first that is left out")
    return span


def _read(option: str, text: str | None, today: date) -> date | None:
    if text is None:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            return today - timedelta(days=int(ago[1]) * _DAYS[ago[2]])
        return date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ConfigurationError(f"{option} {text}: {_EXAMPLE}") from None


def day_directory(day: Day) -> str:
    """Return the name of a day's directory: `day=2024-03-01`."""
    return f"{_PREFIX}{_NO_DAY if day is None else day.isoformat()}"


def read_day_directory(name: str) -> Day:
    """Return the day whose directory has this name. Raises ValueError if it is none of ours."""
    value = name.removeprefix(_PREFIX)
    if value == _NO_DAY:
        return None
    day = date.fromisoformat(value)
    if day_directory(day) != name:
        raise ValueError(f"{name}: not the directory of a day")
    return day


def in_order(day: Day) -> date:
    """Sort days by this: what is about no day comes last."""
    return date.max if day is None else day
