"""The figures of a report that matter, as tables of text: for the terminal and for the documents. Pure."""

from collections.abc import Callable, Mapping

from benchmarks.figures import ingest
from benchmarks.figures.database import analytics_tables, apply_tables, growth_tables
from benchmarks.figures.pipeline import end_to_end_tables, memory_tables, person_sync_tables
from benchmarks.figures.text import NONE, Figures, Table
from benchmarks.targets import reached

_TABLES: Mapping[str, Callable[[Figures], list[Table]]] = {
    "ingest": ingest.tables,
    "apply": apply_tables,
    "end_to_end": end_to_end_tables,
    "growth": growth_tables,
    "memory": memory_tables,
    "person_sync": person_sync_tables,
}
PARTS = tuple(_TABLES)
"""Those of a whole report."""
_WITH_OWN_DOCUMENT: Mapping[str, Callable[[Figures], list[Table]]] = {"analytics": analytics_tables}
ELSEWHERE = tuple(_WITH_OWN_DOCUMENT)
"""Those docs/data-dictionary.md shows."""


def tables(report: Figures) -> dict[str, list[Table]]:
    """Return the tables of each benchmark that the report has."""
    made = {**_TABLES, **_WITH_OWN_DOCUMENT}
    return {name: make(report[name]) for name, make in made.items() if name in report}


def reach_table(report: Figures) -> Table:
    """Return what was reached of what is aimed at."""
    words = {True: "yes", False: "no", None: NONE}
    rows = tuple((each.figure, f"{each.value:g}", each.aim, words[each.reached]) for each in reached(report))
    return Table("Aims", ("figure", "value", "aim", "reached"), rows)


def machine_line(report: Figures) -> str:
    """Return in one line what the figures were measured on."""
    machine = report["machine"]
    return (
        f"{machine['cores']} cores, {machine['system']}, Python {machine['python']}, "
        f"PostgreSQL {machine['postgres']}, RabbitMQ {machine['rabbitmq']}"
    )


def settings_line(report: Figures) -> str:
    """Return in one line the settings of PostgreSQL that matter most."""
    settings = report["machine"]["settings"]["postgres"]
    return "PostgreSQL's settings: " + ", ".join(f"{name} {value}" for name, value in settings.items())
