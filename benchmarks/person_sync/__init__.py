"""Changes of the CRM on their way to Vibes: how near to the rate limit the fleet comes, and what coalescing saves."""

from typing import Any

from rich.console import Console

from benchmarks.effort import Effort
from benchmarks.person_sync import burst, steady
from benchmarks.person_sync.fleet import AIM, LIMIT, PROCESSES, Fleet


def run(console: Console, effort: Effort) -> dict[str, Any]:
    """Run both parts on one stack, one after the other. Raises ServiceError."""
    console.print(f"starting the simulator, ingest, apply and {PROCESSES} person workers ...")
    with Fleet() as fleet:
        rate = steady.run(fleet, console, steady.SIZES[effort])
        changes = burst.run(fleet, console, burst.SIZES[effort])
    return {
        "rate": round(rate.calls_a_second, 2),
        "limit": LIMIT,
        "aim": AIM,
        "throttled": rate.throttled_share,
        "calls_per_change": round(changes.calls / changes.changes, 4),
        "processes": PROCESSES,
        "steady": rate.to_json(),
        "burst": changes.to_json(),
    }
