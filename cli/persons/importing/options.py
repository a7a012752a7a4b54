"""What an import is asked to do."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cli.persons.importing.columns import ColumnMap, Empty, Unmapped, read_pairs, read_table
from cli.persons.importing.source import STANDARD_INPUT
from schemas.errors import ConfigurationError

_NDJSON_SUFFIXES = (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")


class Format(StrEnum):
    """Of the input."""

    CSV = "csv"
    NDJSON = "ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one import, checked."""

    file: str
    format: Format
    delimiter: str | None
    """None: found out by the header."""
    encoding: str
    columns: ColumnMap = field(repr=False)
    empty: Empty
    report: Path | None
    """None: beside the input."""
    state: Path | None
    """None: beside the input."""
    restart: bool
    dry_run: bool
    bulk: bool
    rate: float | None
    """Rows a second."""
    patience: float
    """Seconds."""

    def fingerprint(self, company_key: str) -> dict[str, str]:
        """Return the options that decide what is sent, by name: an import is carried on with the same."""
        return {
            "company": company_key,
            "format": self.format,
            "delimiter": self.delimiter or "",
            "encoding": self.encoding,
            "map": ", ".join(f"{column}={name}" for column, name in sorted(self.columns.given.items())),
            "unmapped": self.columns.unmapped,
            "empty": self.empty,
        }


def choose_format(given: Format | None, file: str) -> Format:
    """Return the format an option gives, or the file's suffix."""
    return given or (Format.NDJSON if file.lower().endswith(_NDJSON_SUFFIXES) else Format.CSV)


def check_together(options: Options) -> None:
    """Raise ConfigurationError when the options do not go together."""
    if options.format is Format.NDJSON and (options.delimiter is not None or options.empty is not Empty.KEEP):
        raise ConfigurationError("--delimiter and --empty are for CSV; in NDJSON null removes a field")
    if options.file == STANDARD_INPUT and (options.state or options.restart):
        raise ConfigurationError("--state, --restart: standard input cannot be resumed, so there is no state")


def read_columns(
    pairs: Iterable[str], mapping: Path | None, *, ignore_unmapped: bool, unmapped_as_custom_fields: bool
) -> ColumnMap:
    """Return what the options say about columns; a pair wins over the file. Raises ConfigurationError."""
    if ignore_unmapped and unmapped_as_custom_fields:
        raise ConfigurationError("--ignore-unmapped and --unmapped-as-custom-fields: give one of them")
    given = {} if mapping is None else _load_table(mapping)
    unmapped = Unmapped.REFUSE
    if ignore_unmapped:
        unmapped = Unmapped.IGNORE
    elif unmapped_as_custom_fields:
        unmapped = Unmapped.CUSTOM_FIELD
    return ColumnMap({**given, **read_pairs(pairs)}, unmapped)


def _load_table(path: Path) -> dict[str, str]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"--mapping {path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--mapping {path}: is not TOML ({error})") from error
    return read_table(data, f"--mapping {path}")
