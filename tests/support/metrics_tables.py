"""The metrics as the tables of docs/metrics.md: `python -m tests.support.metrics_tables` puts them in."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from prometheus_client import Metric

from runtime.metrics import _FOREIGN, REGISTRY, Part

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
SECTIONS = {
    "ingest": ("vibes_ingest_",),
    "apply": ("vibes_apply_",),
    "dead letters": ("vibes_dead_letters",),
    "audit": ("vibes_audit_",),
    "person-sync": ("vibes_person_",),
    "services": ("vibes_broker_", "vibes_postgres_", "vibes_tls_"),
    "process": ("vibes_build_", "process_"),
}
"""Which metrics are in which table, by how their names begin."""


def with_tables(document: str) -> str:
    """Return the document with its tables as they have to be."""
    for section, starts in SECTIONS.items():
        table = "\n".join(["| metric | type | labels | of | meaning |", "|---|---|---|---|---|", *_rows(starts)])
        marked = re.compile(rf"(<!-- {section} -->\n).*?(\n<!-- /{section} -->)", re.DOTALL)
        document, found = marked.subn(lambda match: f"{match[1]}{table}{match[2]}", document)  # noqa: B023 - used now
        assert found == 1, f"docs/metrics.md has no place for {section}"
    return document


def metrics_and_labels() -> Iterator[tuple[Metric, tuple[str, ...]]]:
    """Every metric there is, with the names of its labels."""
    for collector in REGISTRY._collector_to_names:
        labels = tuple(getattr(collector, "_labelnames", ()))
        yield from ((metric, labels) for metric in collector.collect())


def _rows(starts: tuple[str, ...]) -> Iterator[str]:
    for metric, labels in metrics_and_labels():
        if metric.name.startswith(starts):
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            told = ", ".join(f"`{label}`" for label in labels)
            meaning = metric.documentation.replace("|", "\\|")
            yield f"| `{name}` | {metric.type} | {told} | {_parts(metric.name)} | {meaning} |"


def _parts(name: str) -> str:
    showing = [part for part in get_args(Part) if not name.startswith(_FOREIGN[part])]
    return "all" if len(showing) == len(get_args(Part)) else ", ".join(showing)


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
