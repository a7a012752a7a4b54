"""The benchmarks there are, each under the name of its part of the report."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from benchmarks import person_sync

Figures = dict[str, Any]

BENCHMARKS: Mapping[str, Callable[[Console, bool], Figures]] = {"person_sync": person_sync.run}
"""Each is told whether to be quick, and returns its figures, fit for JSON. Raises ServiceError when a part fails."""
