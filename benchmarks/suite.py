"""The benchmarks there are, each under the name of its part of the report."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from benchmarks import analytics, apply, end_to_end, growth, ingest, memory, person_sync
from benchmarks.effort import Effort

Figures = dict[str, Any]

BENCHMARKS: Mapping[str, Callable[[Console, Effort], Figures]] = {
    "ingest": ingest.run,
    "apply": apply.run,
    "end_to_end": end_to_end.run,
    "memory": memory.run,
    "growth": growth.run,
    "person_sync": person_sync.run,
    "analytics": analytics.run,
}
"""In the order in which they run. Each returns its figures, fit for JSON, or raises ServiceError: a part failed, or its
run was not clean."""

WHOLE = tuple(name for name in BENCHMARKS if name != "analytics")
"""Those of a whole run. The views' ten million events alone would take as long again."""
