"""The rows of a CSV file."""

import csv
from collections.abc import Iterator

from cli.persons.importing.lines import Lines
from cli.persons.importing.rows import Row
from schemas.errors import ConfigurationError, MessageError

DELIMITERS = (",", ";", "\t", "|")
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


def read_delimiter(given: str) -> str:
    """Return the character an option gives, itself or by name. Raises ConfigurationError."""
    delimiter = _NAMES.get(given.lower(), given)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ConfigurationError(f"--delimiter {given}: must be one character. Example: --delimiter ';'")
    return delimiter


def sniff_delimiter(header: str) -> str:
    """Return the delimiter that is most often in the header outside of quotes; the comma when there is none."""
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def read_header(lines: Lines, delimiter: str) -> list[str]:
    """Read the header row. Raises ConfigurationError when it is none."""
    lines.peek()
    lines.begin_row()
    try:
        cells = next(csv.reader(lines, delimiter=delimiter, strict=True))
        lines.check_encoding()
    except csv.Error as problem:
        raise ConfigurationError(f"line {lines.first_number}: cannot be read as a header ({problem})") from None
    except MessageError as problem:
        hint = "; --encoding names another, such as cp1252" if problem.reason == "wrong_encoding" else ""
        raise ConfigurationError(f"the header cannot be read: {problem.detail}{hint}") from None
    return [cell.strip() for cell in cells]


def csv_rows(lines: Lines, delimiter: str) -> Iterator[Row]:
    """Give the rows after the header; blank lines are no rows.

    Broken quoting refuses the row in which it shows, and reading goes on with the line after that row's first: a quote
    that is never closed takes no other row with it.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number = 0
    while True:
        lines.begin_row()
        content: list[str] | MessageError
        try:
            content = next(reader)
            lines.check_encoding()
        except StopIteration:
            return
        except csv.Error as problem:
            content = _broken(lines, MessageError("broken_csv", str(problem)))
        except MessageError as problem:
            content = _broken(lines, problem) if problem.reason == "too_large" else problem
        if content:
            number += 1
            yield Row(number, lines.first_number, content)


def _broken(lines: Lines, problem: MessageError) -> MessageError:
    first, last = lines.first_number, lines.number
    if first == last:
        return problem
    lines.go_back()
    return MessageError(
        "broken_csv", f"lines {first} to {last}: {problem.detail}; is a quote not closed? Line {first} alone is refused"
    )
