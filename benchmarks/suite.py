"""The benchmarks there are, each under the name of its part of the report."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from benchmarks import apply, end_to_end, growth, ingest, memory, person_sync

Figures = dict[str, Any]

BENCHMARKS: Mapping[str, Callable[[Console, bool], Figures]] = {
    "ingest": ingest.run,
    "apply": apply.run,
    "end_to_end": end_to_end.run,
    "memory": memory.run,
    "growth": growth.run,
    "person_sync": person_sync.run,
}
"""In the order in which they run. Each is told whether to be quick, and returns its figures, fit for JSON. Raises ServiceError when a part fails."""
