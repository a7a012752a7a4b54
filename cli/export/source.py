"""Reading a dataset from PostgreSQL, a piece at a time."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import asyncpg

from cli.export.columns import Column, layout
from cli.export.datasets import Dataset
from cli.export.days import Day, DaySpan, in_order
from cli.export.planning import Fingerprint
from cli.export.queries import COLUMNS, Table, relation
from runtime.postgres import POSTGRES_ERRORS, Connection
from runtime.postgres_trouble import in_a_line, postgres_trouble
from schemas.errors import ServiceError

_ROWS = 5000
_PAYLOAD_ROWS = 250
"""How many rows are asked for at a time. A payload may be as large as a body, 8 MiB at most."""

_ANSWER_SECONDS = 900.0
"""How long one answer of the database may take; some views have to be worked out as a whole."""

Rows = Sequence[Any]
"""Records: sequences of values, for which asyncpg's stubs do not take them."""


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset in a database, as of the transaction of the connection."""

    connection: Connection
    table: Table
    company_key: str | None
    span: DaySpan

    async def days(self) -> dict[Day, Fingerprint]:
        """Return the days there are, and what is in them. Raises ServiceError."""
        rows = self.table.of(self.company_key, self.span)
        with database_errors(f"counting {self.table.dataset.name}"):
            found = await self.connection.fetch(self.table.count_days(rows), *rows.arguments, timeout=_ANSWER_SECONDS)
        columns = layout(self.table.columns, self.table.dataset.day_column)
        return {each["day"]: Fingerprint(each["rows"], f"{columns} {each['rows']} {each['digest']}") for each in found}

    async def read(self, days: Sequence[Day]) -> AsyncIterator[tuple[Day, Rows]]:
        """Yield the rows of some days in pieces, day after day; the last value of each row is its day.

        Raises ServiceError.
        """
        if not self.table.dataset.by_day:
            async for piece in self._read_sorted(days):
                yield piece
            return
        for day in sorted(days, key=in_order):
            async for piece in self._read_sorted([day]):
                yield piece

    async def _read_sorted(self, days: Sequence[Day]) -> AsyncIterator[tuple[Day, Rows]]:
        rows = self.table.in_days(self.table.of(self.company_key, self.span), days)
        at_once = _PAYLOAD_ROWS if self.table.payloads and self.table.dataset.is_log else _ROWS
        with database_errors(f"reading {self.table.dataset.name}"):
            cursor = await self.connection.cursor(self.table.select(rows), *rows.arguments, timeout=_ANSWER_SECONDS)
        while True:
            with database_errors(f"reading {self.table.dataset.name}"):
                piece = await cursor.fetch(at_once, timeout=_ANSWER_SECONDS)
            if not piece:
                return
            for day, of_day in groupby(piece, key=lambda row: row[-1]):
                yield day, list(of_day)


async def find_source(
    connection: Connection, dataset: Dataset, company_key: str | None, span: DaySpan, *, payloads: bool
) -> Source:
    """Look up what a dataset is read from. Raises ServiceError if the user has no such table or view."""
    with database_errors(f"looking up {dataset.name}"):
        found = await connection.fetch(COLUMNS, relation(dataset))
    if not found:
        raise ServiceError(
            f"the database has no {relation(dataset)}, or hides it from the user of DATABASE_URL; leave it out with "
            "--only, or run: vibes-pipeline migrate"
        )
    table = Table(dataset, tuple(Column(**dict(each)) for each in found), payloads)
    return Source(connection, table, company_key, span if dataset.day_column else DaySpan())


@contextmanager
def database_errors(doing: str) -> Iterator[None]:
    """Turn errors of the database into a ServiceError that says what was being done, and what to do."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise ServiceError(
            f"{doing}: {_first_line(error)}; leave it out with --only, or let DATABASE_URL name a user of "
            "vibes_operator"
        ) from error
    except asyncpg.QueryCanceledError as error:
        raise ServiceError(
            f"{doing}: {_first_line(error)}; if that was the time limit of an analyst's role, ask for fewer days with "
            "--since, or let DATABASE_URL name a user of vibes_operator"
        ) from error
    except POSTGRES_ERRORS as error:
        raise ServiceError(
            f"{doing}: the database does not answer ({in_a_line(postgres_trouble(error))}). What was exported before "
            "is as it was; run the same command again: it carries on"
        ) from error


def _first_line(error: Any) -> str:
    return (str(error).splitlines() or [""])[0]
