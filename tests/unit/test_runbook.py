"""The runbook: every fault that chaos injects has its section, and it names metrics that exist."""

import re
from fnmatch import fnmatch
from pathlib import Path

from prometheus_client import generate_latest

from runtime.metrics import REGISTRY
from tests.chaos.matrix import MATRIX

_RUNBOOK = Path(__file__).parents[2].joinpath("docs", "runbook.md").read_text(encoding="utf-8")


def test_every_fault_has_a_section() -> None:
    named = [
        name
        for line in re.findall(r"^Faults? (.+?)\.$", _RUNBOOK, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"`([a-z0-9_*]+)`", line)
    ]
    faults = [name for names in MATRIX.values() for name in names]

    assert [fault for fault in faults if not any(fnmatch(fault, name) for name in named)] == []


def test_every_metric_it_names_exists() -> None:
    exist = set(re.findall(r"^# TYPE (\w+)", generate_latest(REGISTRY).decode(), re.MULTILINE))

    assert set(re.findall(r"\b(vibes_[a-z_]+)", _RUNBOOK)) - exist == set()
