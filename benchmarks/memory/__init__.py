"""How much memory each process takes: with nothing to do, under full load, and while a long backlog is worked off."""

from typing import Any

from rich.console import Console

from benchmarks.effort import Effort
from benchmarks.memory import backlog
from benchmarks.memory.sampling import Sampler

_PHASES = ("idle", "full", "drain")
_FLAT_MIB = 5.0
"""By so much the second half of the drain may be above the first."""


def run(console: Console, effort: Effort) -> dict[str, Any]:
    """Measure, together with what `growth` reports of the backlog. Raises ServiceError.

    `*_mib` is the most resident memory of a process; `growth` and `flat` are about the two halves of the drain.
    """
    measured = backlog.measure(console, backlog.SIZES[effort])
    return {
        **{f"{_key(name)}_mib": round(measured.memory.maximum(name), 1) for name in backlog.PROCESSES},
        **{_key(name): _by_phase(measured.memory, name) for name in backlog.PROCESSES},
        "backlog": measured.callbacks,
    }


def _by_phase(memory: Sampler, name: str) -> dict[str, Any]:
    growth = memory.growth(name, "drain")
    return {
        **{f"{phase}_mib": round(memory.maximum(name, phase), 1) for phase in _PHASES},
        "growth_mib": round(growth, 1),
        "flat": growth <= _FLAT_MIB,
    }


def _key(name: str) -> str:
    return name.replace("-", "_")
