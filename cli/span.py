"""A span of time that a command is asked about."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from schemas.errors import ConfigurationError

_AGO = re.compile(r"(\d{1,6})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_HOUR = timedelta(hours=1)
_FIRST_ID = UUID(int=0)
_LAST_ID = UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class Span:
    """Whole hours, from `since` (None: ever) until `until`, which does not belong to it (None: for ever)."""

    since: datetime | None = None
    until: datetime | None = None

    def covers(self, hour: datetime) -> bool:
        """Tell whether an hour, by its beginning, belongs to the span."""
        return (self.since is None or self.since <= hour) and (self.until is None or hour < self.until)

    def message_ids(self) -> tuple[UUID, UUID]:
        """Return the first id a broker message of the span may have, and the first one that is too late.

        The ids are version 7 UUIDs, which begin with the milliseconds since 1970.
        """
        return (_id_at(self.since) if self.since else _FIRST_ID, _id_at(self.until) if self.until else _LAST_ID)


def read_span(since: str | None, until: str | None, now: datetime) -> Span:
    """Read the options --since and --until: widened to whole hours. Raises ConfigurationError."""
    begin = _read("--since", since, now, timedelta()) if since else None
    end = _read("--until", until, now, _HOUR - timedelta.resolution) if until else None
    span = Span(begin, end)
    if span.since and span.until and span.since >= span.until:
        raise ConfigurationError(f"--until {until}: not after --since {since}")
    return span


def _read(option: str, text: str, now: datetime, later: timedelta) -> datetime:
    """Return the beginning of the hour that is so much later."""
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            moment = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.fromisoformat(text)
            moment = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
        return (moment + later).replace(minute=0, second=0, microsecond=0)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{option} {text}: a time such as 2024-03-01T14:00 (UTC unless it has an offset), or how long ago: 7d"
        ) from None


def _id_at(moment: datetime) -> UUID:
    milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return UUID(int=max(0, milliseconds) << 80)
