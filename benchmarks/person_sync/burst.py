"""What a burst of changes to the same persons costs: many changes, few calls, and the newest state at Vibes."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from benchmarks.effort import Effort
from benchmarks.person_sync.fleet import Fleet, change, names, person, stale, until, wait_until_synced

_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Size:
    """How many persons change how often."""

    persons: int
    changes_each: int


FULL = Size(persons=500, changes_each=10)
QUICK = Size(persons=100, changes_each=10)
SMOKE = Size(persons=20, changes_each=10)
SIZES = {Effort.FULL: FULL, Effort.QUICK: QUICK, Effort.SMOKE: SMOKE}


@dataclass(frozen=True, slots=True)
class Burst:
    """What it took until everybody was synced."""

    changes: int
    persons: int
    calls: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return asdict(self) | {"seconds": round(self.seconds, 2)}


def run(fleet: Fleet, console: Console, size: Size) -> Burst:
    """Change everybody, then everybody again, until Vibes has the newest value of each. Raises ServiceError."""
    who = names("burst", size.persons)
    changes = size.persons * size.changes_each
    console.print(f"burst: {changes} changes of {size.persons} persons")
    fleet.hold([person(name) for name in who])
    _, known = fleet.syncs()
    before = fleet.count()
    newest = datetime.now(UTC)
    fleet.change(
        [
            change(name, f"{name} {number}", (newest - timedelta(seconds=size.changes_each - number)).isoformat())
            for number in range(size.changes_each)
            for name in who
        ]
    )
    wait_until_synced(fleet, known + size.persons, console, _PATIENCE_SECONDS)
    wanted = [(name, f"{name} {size.changes_each - 1}") for name in who]
    # Apply may not have seen the last changes yet, and everybody is synced all the same.
    until(lambda: True if not stale(fleet, wanted) else None, "Vibes lacks newest values", _PATIENCE_SECONDS)
    wait_until_synced(fleet, known + size.persons, console, _PATIENCE_SECONDS)
    ended = fleet.count()
    return Burst(changes, size.persons, ended.total - before.total, ended.moment - before.moment)
