"""How commands print what they have found: tables for people, JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

_FILE_WIDTH = 200


def as_json(value: object) -> str:
    """Return a value as JSON, times in UTC; what JSON does not know becomes its text."""
    # str() serves asyncpg's own class of UUIDs, which orjson does not know.
    return orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()


def moment(value: datetime | None) -> str:
    """Return a time to the second, a dash when there is none."""
    return f"{value:%F %T}" if value else "-"


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, as wide as it takes where there is no terminal, so that nothing is cut off in a file."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # Text, because what comes from outside is not markup.
        table.add_row(*(Text("-" if cell in (None, "") else str(cell)) for cell in row))
    _console().print(table)


def print_facts(title: str, facts: Mapping[str, object]) -> None:
    """Print what is known of one thing, a line each; what is not known is left out."""
    known = {name: value for name, value in facts.items() if value not in (None, "", [], {})}
    print_table(title, ("what", "value"), ((name, shown(value)) for name, value in known.items()))


def shown(value: Any) -> str:
    """Return a JSON value in one line."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, UUID):
        return str(value)
    return orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z).decode()


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    return console
