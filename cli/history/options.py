"""Read what a history is to be like from the options of the command."""

import re
from datetime import UTC, datetime, timedelta

from schemas.errors import ConfigurationError
from simulator.errors import UnprocessableError
from simulator.history.spec import HistorySpec

_LENGTH = re.compile(r"(\d{1,4})([dw])")
_DAYS = {"d": 1, "w": 7}
_MOST_EVENTS = 20_000_000
"""The simulated MobileDB is in memory, and takes a quarter of a gigabyte for each million."""


def read_history_spec(
    history: str, events: int, company: str, until: str | None, seed: int, now: datetime
) -> HistorySpec:
    """Return the spec of a history that ends at `until`, by default the last midnight. Raises ConfigurationError."""
    length = _LENGTH.fullmatch(history)
    if length is None:
        raise ConfigurationError(f"--history {history}: days or weeks, such as 365d or 52w")
    days = int(length[1]) * _DAYS[length[2]]
    if not 1 <= events <= _MOST_EVENTS:
        raise ConfigurationError(f"--events {events}: from 1 to {_MOST_EVENTS:,}")
    end = _read_day(until) if until else now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if end > now:
        raise ConfigurationError(f"--until {until}: is in the future, and a history is over")
    try:
        return HistorySpec(company, end - timedelta(days=days), end, events, seed)
    except (UnprocessableError, OverflowError) as error:
        raise ConfigurationError(f"--history {history}: {error}") from None


def _read_day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigurationError(
            f"--until {text}: a day, such as 2025-01-31; the history ends when it begins"
        ) from None
