"""What came of the matrix: `.run/chaos.json`, and a table."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_MOST_PROBLEMS = 20


@dataclass(slots=True)
class FaultReport:
    """What came of one fault."""

    name: str
    injections: int = 0
    acknowledged: int = 0
    """Callbacks that got a 2xx."""
    lost: int = 0
    double: int = 0
    diverged: int = 0
    max_answer_ms: float = 0.0
    bad_answers: int = 0
    """Other than 2xx and 503, late, or missing although ingest was not hit; in a deploy everything but 2xx."""
    ok: bool = False
    seconds: float = 0.0
    unavailable: int = 0
    """Answers 503."""
    unanswered: int = 0
    """Calls refused, reset or timed out."""
    stalled: int = 0
    """Calls of which nobody knows, because the caller itself was held up by a busy machine."""
    drain_seconds: float = 0.0
    """Part of the seconds: from the last acknowledged callback until nothing was on its way."""
    rss_mib: dict[str, int] = field(default_factory=dict)
    """The most memory one process of each part had."""
    problems: list[str] = field(default_factory=list)
    """What is wrong, the first of it."""

    def note(self, *problems: str) -> None:
        """Add problems, up to a bound."""
        self.problems += problems[: max(_MOST_PROBLEMS - len(self.problems), 0)]


@dataclass(slots=True)
class Report:
    """What came of a run."""

    seed: int
    quick: bool
    faults: list[FaultReport] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Faults of the matrix that nobody has written."""
    abuse: dict[str, Any] = field(default_factory=dict)
    mutations: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By the safeguard that was taken out: what the oracle found. It has to find something, or it is worth nothing."""
    seconds: float = 0.0

    @property
    def acknowledged(self) -> int:
        """Callbacks that got a 2xx, in all."""
        return sum(fault.acknowledged for fault in self.faults)

    @property
    def ok(self) -> bool:
        """Whether everything was run and nothing is wrong."""
        ran = bool(self.faults or self.abuse or self.mutations)
        return ran and not self.missing and all(fault.ok for fault in self.faults) and self._others_ok

    @property
    def _others_ok(self) -> bool:
        return bool(self.abuse.get("ok", True)) and all(found["found"] for found in self.mutations.values())

    def to_json(self) -> Mapping[str, Any]:
        """Return what `.run/chaos.json` holds."""
        return {
            "seed": self.seed,
            "quick": self.quick,
            "faults": [asdict(fault) for fault in self.faults],
            "missing": self.missing,
            "abuse": self.abuse,
            "mutations": self.mutations,
            "acknowledged": self.acknowledged,
            "seconds": round(self.seconds, 1),
            "ok": self.ok,
        }

    def write(self, path: Path) -> None:
        """Write it to a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), indent=2) + "\n")


_COLUMNS = {
    "injections": "times",
    "acknowledged": "acknowledged",
    "lost": "lost",
    "double": "double",
    "diverged": "diverged",
    "max_answer_ms": "slowest ms",
    "bad_answers": "bad answers",
    "unavailable": "503",
    "unanswered": "no answer",
    "stalled": "stalled",
    "seconds": "seconds",
    "drain_seconds": "to drain",
}


def print_report(console: Console, report: Report) -> None:
    """Print the table, and what is wrong."""
    table = Table(title=f"Faults (seed {report.seed})", title_justify="left", title_style="bold")
    table.add_column("fault", no_wrap=True)
    for title in _COLUMNS.values():
        table.add_column(title, justify="right")
    table.add_column("ok")
    for fault in report.faults:
        figures = (getattr(fault, name) for name in _COLUMNS)
        table.add_row(fault.name, *(f"{figure:,.0f}" for figure in figures), "yes" if fault.ok else "NO")
    console.print(table)
    for fault in report.faults:
        for problem in fault.problems:
            console.print(f"{fault.name}: {problem}", markup=False)
    for name in report.missing:
        console.print(f"{name}: nobody has written this fault", markup=False)
    for name, found in report.mutations.items():
        verdict = "found out" if found["found"] else "NOT found out"
        console.print(f"mutation {name}: {verdict}, {found['lost']} lost and {found['double']} double", markup=False)
    if report.abuse:
        findings = report.abuse.get("findings", [])
        console.print(f"abuse: {report.abuse.get('requests', 0):,} requests, {len(findings)} findings", markup=False)
        console.print("\n".join(map(str, findings)), markup=False)
    verdict = "ok" if report.ok else "NOT OK"
    console.print(f"{report.acknowledged:,} callbacks acknowledged in {report.seconds:.0f} s: {verdict}")
