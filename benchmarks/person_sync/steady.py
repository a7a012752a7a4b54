"""How near to the limit the fleet comes, and how often it goes over it, while more is due than the rate allows."""

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from benchmarks.effort import Effort
from benchmarks.person_sync.fleet import AIM, Fleet, change, names, person, until, wait_until_synced
from deploy.local.errors import ServiceError
from deploy.local.progress import Steps

_FIRST_CALLS = 20
"""So many calls begin the time before the measurement."""
_SPARE_SECONDS = 2.0
"""Of the fleet's work, so that it does not run out of persons before the end."""
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Size:
    """How long to measure, and how long the fleet has run before."""

    seconds: float
    before_seconds: float


FULL = Size(seconds=15.0, before_seconds=4.0)
QUICK = Size(seconds=3.0, before_seconds=0.5)
SMOKE = Size(seconds=1.0, before_seconds=0.1)
SIZES = {Effort.FULL: FULL, Effort.QUICK: QUICK, Effort.SMOKE: SMOKE}


@dataclass(frozen=True, slots=True)
class Steady:
    """What was measured. `calls` are those within the limit.

    `peak_per_second` is of the whole run, its begin included, when every worker opens its connections.
    """

    seconds: float
    calls: int
    throttled: int
    peak_per_second: int

    @property
    def calls_a_second(self) -> float:
        """The rate."""
        return self.calls / self.seconds

    @property
    def throttled_share(self) -> float:
        """Of all calls, those over the limit: 0 to 1."""
        return round(self.throttled / (self.calls + self.throttled), 5)

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return asdict(self) | {"seconds": round(self.seconds, 2)}


def run(fleet: Fleet, console: Console, size: Size) -> Steady:
    """Change one person after the other for longer than is measured. Raises ServiceError."""
    who = names("steady", int((size.before_seconds + size.seconds + _SPARE_SECONDS) * AIM))
    console.print(f"steady: a change of each of {len(who)} persons")
    fleet.hold([person(name) for name in who])
    moment = datetime.now(UTC).isoformat()
    fleet.change([change(name, "after", moment) for name in who])
    until(lambda: fleet.count().total >= _FIRST_CALLS or None, "the workers make no calls", _PATIENCE_SECONDS)
    fleet.analyze()
    time.sleep(size.before_seconds)
    began = fleet.count()
    with Steps(console) as steps:
        while (left := size.seconds - (time.monotonic() - began.moment)) > 0:
            steps.show(measured=(round(size.seconds - left), round(size.seconds)))
            time.sleep(min(left, 1.0))
    ended = fleet.count()
    if ended.answered == began.answered:
        raise ServiceError(
            "steady: no call was answered in the time that was measured, because all were made before; something else "
            "takes this machine's time"
        )
    wait_until_synced(fleet, len(who), console, _PATIENCE_SECONDS)
    return Steady(
        ended.moment - began.moment,
        ended.answered - began.answered,
        ended.throttled - began.throttled,
        ended.peak_per_second,
    )
