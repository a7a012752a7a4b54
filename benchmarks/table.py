"""The figures, for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def print_table(console: Console, report: Mapping[str, Any]) -> None:
    """Print a report, one figure a line."""
    table = Table(title="Benchmarks", title_justify="left", title_style="bold")
    table.add_column("benchmark")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, part in report.items():
        for number, (figure, value) in enumerate(_figures("", part)):
            table.add_row("" if number else name.replace("_", " "), figure, str(value), end_section=False)
        table.add_section()
    console.print(table)


def _figures(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield name.strip().replace("_", " "), value
        return
    for key, inner in value.items():
        yield from _figures(f"{name} {key}", inner)
