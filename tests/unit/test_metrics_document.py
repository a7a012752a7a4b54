"""docs/metrics.md lists every metric there is, as runtime/metrics.py has it; and there is none elsewhere."""

import re
from pathlib import Path

from tests.support.metrics_tables import DOCUMENT, SECTIONS, metrics_and_labels, with_tables

ROOT = Path(__file__).parents[2]
FEW = {
    *("company_key", "status", "reason", "reason_kind", "result", "outcome", "stage", "what", "route", "use"),
    *("queue", "state", "file_of", "version"),
}
"""Labels whose values are bounded by the code or by the configuration."""


def test_its_tables_are_those_of_the_code() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert with_tables(text) == text, "run: python -m tests.support.metrics_tables"


def test_every_metric_is_in_one_of_its_tables() -> None:
    starts = [start for section in SECTIONS.values() for start in section]

    for metric, _ in metrics_and_labels():
        assert sum(metric.name.startswith(start) for start in starts) == 1, metric.name


def test_labels_are_few_and_bounded() -> None:
    assert {label for _, labels in metrics_and_labels() for label in labels} <= FEW


def test_names_are_as_prometheus_wants_them() -> None:
    for metric, _ in metrics_and_labels():
        assert re.fullmatch(r"(vibes|process)_[a-z_]+[a-z]", metric.name)
        assert metric.documentation
        if "seconds" in metric.name:
            assert re.search(r"(_timestamp|_time)?_seconds$", metric.name), metric.name
        if metric.type != "counter":
            assert not metric.name.endswith("_total"), metric.name


def test_no_other_module_makes_metrics() -> None:
    makers = {
        str(path.relative_to(ROOT))
        for package in ("schemas", "runtime", "vibes_api", "ingest", "workers", "simulator", "cli")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"\b(Counter|Gauge|Histogram|Durations)\(\s*\"", path.read_text(encoding="utf-8"))
    }

    assert makers == {"runtime/metrics.py"}
