"""How columns of PostgreSQL become columns of Parquet."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa  # type: ignore[import-untyped]  # ships no types

from schemas.errors import ServiceError

_TEXT = ("{}", pa.string())
_AS_TEXT = ("{}::text", pa.string())
_NUMBER = ("{}::double precision", pa.float64())
_WHEN_FINITE = "CASE WHEN isfinite({0}) THEN {0} END"
"""Parquet knows no infinite times."""

_TYPES: dict[str, tuple[str, pa.DataType]] = {
    "text": _TEXT,
    "varchar": _TEXT,
    "uuid": _AS_TEXT,
    "json": _AS_TEXT,
    "jsonb": _AS_TEXT,
    "bool": ("{}", pa.bool_()),
    "int2": ("{}", pa.int16()),
    "int4": ("{}", pa.int32()),
    "int8": ("{}", pa.int64()),
    "float4": ("{}", pa.float32()),
    "float8": ("{}", pa.float64()),
    "numeric": _NUMBER,
    "date": (_WHEN_FINITE, pa.date32()),
    "timestamp": (_WHEN_FINITE, pa.timestamp("us")),
    "timestamptz": (_WHEN_FINITE, pa.timestamp("us", tz="UTC")),
    "interval": ("extract(epoch FROM {})::double precision", pa.float64()),
    "_text": ("{}", pa.list_(pa.string())),
}
"""By PostgreSQL's name of the type: what to select, and what that is in Parquet. An interval becomes its seconds."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or a view."""

    name: str
    pg_type: str
    comment: str | None = None

    @property
    def quoted(self) -> str:
        """The name as SQL."""
        return '"' + self.name.replace('"', '""') + '"'

    @property
    def expression(self) -> str:
        """What to select."""
        return f"{self._mapped[0].format(self.quoted)} AS {self.quoted}"

    @property
    def field(self) -> pa.Field:
        """The column in a Parquet file; it has the comment of the database."""
        return pa.field(self.name, self._mapped[1], metadata={"comment": self.comment} if self.comment else None)

    @property
    def _mapped(self) -> tuple[str, pa.DataType]:
        try:
            return _TYPES[self.pg_type]
        except KeyError:
            raise ServiceError(
                f"column {self.name}: its type, {self.pg_type}, cannot be exported; is the database of a later release?"
            ) from None


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """Return the schema of the Parquet files with these columns."""
    return pa.schema([column.field for column in columns])


def layout(columns: Iterable[Column], day_column: str | None) -> str:
    """Return a short text that is another one when the columns are others, or the rows go to other days."""
    told = "\n".join((day_column or "", *(f"{column.name} {column.pg_type}" for column in columns)))
    return hashlib.sha256(told.encode()).hexdigest()[:12]
