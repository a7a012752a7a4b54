"""The rows of an NDJSON file: one JSON value a line."""

from collections.abc import Iterator
from typing import Any

import orjson

from cli.persons.importing.lines import Lines
from cli.persons.importing.rows import Row
from schemas.errors import ConfigurationError, MessageError


def check_is_ndjson(lines: Lines) -> None:
    """Raise ConfigurationError when the file is empty, or a JSON array."""
    if lines.peek().lstrip().startswith("["):
        raise ConfigurationError("the file is a JSON array; NDJSON has one object a line (jq -c '.[]' makes it)")


def ndjson_rows(lines: Lines) -> Iterator[Row]:
    """Give the rows; blank lines are none."""
    number = 0
    while True:
        lines.begin_row()
        content: Any
        try:
            line = next(lines)
            if not line.strip():
                continue
            content = _parse(lines, line)
        except StopIteration:
            return
        except MessageError as problem:
            content = problem
        number += 1
        yield Row(number, lines.number, content)


def _parse(lines: Lines, line: str) -> Any:
    lines.check_encoding()
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise MessageError("not_json", f"line {lines.number}, column {error.colno}: {error.msg}") from None
