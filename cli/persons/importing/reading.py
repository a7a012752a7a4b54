"""Begin to read the input: its encoding, its format, its header."""

from collections.abc import Iterator
from dataclasses import dataclass

from cli.persons.importing.columns import CsvRecords, NdjsonRecords, Unmapped
from cli.persons.importing.csv_rows import csv_rows, read_header, sniff_delimiter
from cli.persons.importing.lines import Lines
from cli.persons.importing.ndjson_rows import check_is_ndjson, ndjson_rows
from cli.persons.importing.options import Format, Options
from cli.persons.importing.rows import RecordOf, Row
from cli.persons.importing.source import Source
from schemas.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Reading:
    """The rows to come, and what a row of theirs means."""

    rows: Iterator[Row]
    record_of: RecordOf
    unmapped: tuple[str, ...] = ()
    """Columns that are no field."""


def begin_reading(source: Source, options: Options) -> Reading:
    """Read up to the first row. Raises ConfigurationError when the file is not what the options say.

    A dry run tells which columns are no field; otherwise they are an error, unless an option says what becomes of them.
    """
    if source.looks_like_utf16() and options.encoding == "utf-8-sig":
        raise ConfigurationError(f"{source.name}: is UTF-16, by its first bytes; add --encoding utf-16")
    lines = Lines(source)
    try:
        if options.format is Format.NDJSON:
            check_is_ndjson(lines)
            return Reading(ndjson_rows(lines), NdjsonRecords(options.columns))
        return _begin_csv(lines, options)
    except ConfigurationError as problem:
        raise ConfigurationError(f"{source.name}: {problem}") from None


def _begin_csv(lines: Lines, options: Options) -> Reading:
    delimiter = options.delimiter or sniff_delimiter(lines.peek())
    records = CsvRecords(read_header(lines, delimiter), options.columns, options.empty)
    if records.unmapped and options.columns.unmapped is Unmapped.REFUSE and not options.dry_run:
        raise ConfigurationError(
            f"columns that are no field: {', '.join(records.unmapped)}; map them (--map COLUMN=FIELD), or add "
            "--ignore-unmapped or --unmapped-as-custom-fields"
        )
    return Reading(csv_rows(lines, delimiter), records, tuple(records.unmapped))
