"""Which column is which field of a change, and the record that a row so makes. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from schemas.crm_change import CUSTOM_FIELD
from schemas.errors import ConfigurationError, MessageError

EXTERNAL_PERSON_ID = "external_person_id"
FIELDS = (EXTERNAL_PERSON_ID, "mdn", "carrier_code", "updated_at")
_CUSTOM_FIELDS = "custom_fields"
_EXAMPLE = f"--map CUSTOMER_NO={EXTERNAL_PERSON_ID}"
_VALUE = re.compile(r"\+.*|\d+|\d{4}-\d\d-\d\d.*|.*(@|\d{5}).*", re.DOTALL)
"""What looks like a value rather than like the name of a column."""


class Unmapped(StrEnum):
    """What becomes of columns that are no field and not mapped to one."""

    REFUSE = "refuse"
    IGNORE = "ignore"
    CUSTOM_FIELD = "custom_field"


class Empty(StrEnum):
    """What an empty cell says."""

    KEEP = "keep"
    """Nothing: the field stays as it is."""
    REMOVE = "remove"
    """That the field is to be removed."""


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Fields by column, as given; a column that is named like a field is that field."""

    given: Mapping[str, str] = field(default_factory=dict)
    unmapped: Unmapped = Unmapped.REFUSE

    def field_of(self, column: str) -> str | None:
        """Return the field of a column; None when it has none."""
        found = self.given.get(column)
        if found is None and is_field(column):
            return column
        if found is None and self.unmapped is Unmapped.CUSTOM_FIELD and column:
            return CUSTOM_FIELD + column
        return found


def is_field(name: str) -> bool:
    """Tell whether a name is that of a field."""
    return name in FIELDS or (name.startswith(CUSTOM_FIELD) and bool(name.removeprefix(CUSTOM_FIELD).strip()))


def read_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """Read COLUMN=FIELD pairs. Raises ConfigurationError."""
    read: dict[str, str] = {}
    for pair in pairs:
        column, separator, name = pair.rpartition("=")
        if not separator or not column:
            raise ConfigurationError(f"--map {pair}: must be COLUMN=FIELD. Example: {_EXAMPLE}")
        _add(read, column, name, f"--map {pair}")
    return read


def read_table(data: Mapping[str, Any], where: str) -> dict[str, str]:
    """Read the content of a mapping file. Raises ConfigurationError."""
    table = data.get("columns")
    if set(data) != {"columns"} or not isinstance(table, dict):
        raise ConfigurationError(
            f'{where}: must hold one table [columns], a line for each column. Example: "Customer No" = "mdn"'
        )
    read: dict[str, str] = {}
    for column, name in table.items():
        _add(read, column, name if isinstance(name, str) else "", f"{where}: column {column}")
    return read


def _add(read: dict[str, str], column: str, name: str, where: str) -> None:
    if not is_field(name):
        raise ConfigurationError(
            f"{where}: the field must be {', '.join(FIELDS)} or {CUSTOM_FIELD}NAME. Example: {_EXAMPLE}"
        )
    if column in read:
        raise ConfigurationError(f"{where}: the column is mapped twice")
    read[column] = name


class CsvRecords:
    """Makes records of the rows of one CSV file. Raises ConfigurationError when the header does not fit the mapping."""

    def __init__(self, header: Sequence[str], mapping: ColumnMap, empty: Empty) -> None:
        self._width = len(header)
        self._remove = empty is Empty.REMOVE
        fields = {index: mapping.field_of(column) for index, column in enumerate(header)}
        _check_header(header, mapping, list(fields.values()))
        self.unmapped = [header[index] or f"(column {index + 1})" for index, name in fields.items() if name is None]
        """Names of the columns that are no field."""
        known = [(index, name) for index, name in fields.items() if name is not None]
        self._plain = [(index, name) for index, name in known if name in FIELDS]
        self._custom = [(index, name.removeprefix(CUSTOM_FIELD)) for index, name in known if name not in FIELDS]

    def __call__(self, cells: Sequence[str]) -> dict[str, Any]:
        """Return the record of a row's cells. Raises MessageError."""
        if len(cells) != self._width:
            raise MessageError("wrong_number_of_cells", f"{len(cells)}, the header has {self._width}")
        record = self._pick(self._plain, cells)
        custom = self._pick(self._custom, cells)
        return {**record, _CUSTOM_FIELDS: custom} if custom else record

    def _pick(self, names: Sequence[tuple[int, str]], cells: Sequence[str]) -> dict[str, Any]:
        picked: dict[str, Any] = {}
        for index, name in names:
            cell = cells[index]
            if cell and not cell.isspace():
                picked[name] = cell
            elif self._remove:
                picked[name] = None
        return picked


class NdjsonRecords:
    """Makes records of the objects of one NDJSON file: known names stay, mapped ones become what they are mapped to."""

    def __init__(self, mapping: ColumnMap) -> None:
        _check_twice(list(mapping.given.values()))
        self._mapping = mapping

    def __call__(self, value: Any) -> object:
        """Return the record of an object; anything else as it is. Raises MessageError."""
        if not isinstance(value, dict) or (value.keys() <= _RECORD_KEYS and not self._mapping.given):
            return value
        record: dict[str, Any] = {}
        custom: dict[str, Any] = {}
        for key, item in value.items():
            name = self._mapping.field_of(key)
            if key == _CUSTOM_FIELDS and key not in self._mapping.given:
                _merge(*((custom, item) if isinstance(item, dict) else (record, {key: item})))
            elif name is None:
                if self._mapping.unmapped is not Unmapped.IGNORE:
                    record[key] = item  # read_change refuses what it does not know, and says so
            elif name in FIELDS:
                _merge(record, {name: item})
            else:
                _merge(custom, {name.removeprefix(CUSTOM_FIELD): item})
        return {**record, _CUSTOM_FIELDS: custom} if custom else record


_RECORD_KEYS = {*FIELDS, _CUSTOM_FIELDS}


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, item in more.items():
        if name in into:
            raise MessageError("field_twice", f"{name[:100]} is there twice, by its own name and by a mapped one")
        into[name] = item


def _check_header(header: Sequence[str], mapping: ColumnMap, fields: Sequence[str | None]) -> None:
    if EXTERNAL_PERSON_ID not in fields:
        raise ConfigurationError(
            f"no column is {EXTERNAL_PERSON_ID}: {_describe(header)}, name it with --map COLUMN={EXTERNAL_PERSON_ID}"
        )
    twice = sorted({column for column in header if header.count(column) > 1 and column})
    if twice:
        raise ConfigurationError(f"the header has {', '.join(twice)} more than once; columns need different names")
    missing = sorted(set(mapping.given) - set(header))
    if missing:
        raise ConfigurationError(f"mapped, but not in the header: {', '.join(missing)}; {_describe(header)}")
    _check_twice(fields)


def _check_twice(fields: Sequence[str | None]) -> None:
    twice = sorted({name for name in fields if name is not None and fields.count(name) > 1})
    if twice:
        raise ConfigurationError(f"two columns are mapped to {', '.join(twice)}; a field comes from one column")


def _describe(header: Sequence[str]) -> str:
    """Tell the columns, unless the line may be one of data: persons stay out of messages."""
    if any(_VALUE.fullmatch(column) for column in header if column):
        return "the first line looks like data, and it must be a header with the columns' names"
    return f"the header has {', '.join(filter(None, header))}"
