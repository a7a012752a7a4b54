"""What a history is to be like."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from simulator.errors import UnprocessableError

SHORTEST = timedelta(days=1)
LONGEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class HistorySpec:
    """A history: the same spec gives the same callbacks, byte for byte.

    It goes from `begin` to `until`, both at midnight UTC, has exactly `events` events, and `duplicate_ratio` of them (0
    to 1) come a second time. Raises UnprocessableError when that cannot be.
    """

    company_key: str
    begin: datetime
    until: datetime
    events: int
    seed: int = 1
    duplicate_ratio: float = 0.02

    def __post_init__(self) -> None:
        for name in ("begin", "until"):
            moment: datetime = getattr(self, name)
            if moment.tzinfo != UTC or moment != moment.replace(hour=0, minute=0, second=0, microsecond=0):
                raise UnprocessableError(f"{name} must be a midnight in UTC")
        if not SHORTEST <= self.until - self.begin <= LONGEST:
            raise UnprocessableError(f"a history has from {SHORTEST.days} to {LONGEST.days} days")
        if self.events < 1:
            raise UnprocessableError("events must be at least 1")
        if not 0 <= self.duplicate_ratio <= 1:
            raise UnprocessableError("duplicate_ratio must be between 0 and 1")

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.until - self.begin).days

    @property
    def ingest_id(self) -> str:
        """The name of the ingest process that would have taken its callbacks; another one for every other history."""
        told = "/".join(
            map(str, (self.company_key, self.begin, self.until, self.events, self.seed, self.duplicate_ratio))
        )
        return f"history-{sha256(told.encode()).hexdigest()[:16]}"
