"""The figures, for people at a terminal."""

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.figures import machine_line, reach_table, settings_line, tables
from benchmarks.figures.text import Figures, Table


def print_tables(console: Console, report: Figures) -> None:
    """Print a report's key figures, a table or more a benchmark, and what it has reached."""
    console.print(f"\n{machine_line(report)}\n{settings_line(report)}", soft_wrap=True)
    for made in tables(report).values():
        for table in made:
            console.print(_table(table))
    reach = reach_table(report)
    if reach.rows:
        console.print(_table(reach))
    if report["quick"]:
        console.print("a quick run: it shows that everything works; its figures are rough")


def _table(table: Table) -> RichTable:
    made = RichTable(title=table.title, title_justify="left", title_style="bold")
    for number, name in enumerate(table.head):
        made.add_column(name, justify="right" if number or table.rows[0][0][:1].isdecimal() else "left")
    for row in table.rows:
        made.add_row(*row)
    return made
