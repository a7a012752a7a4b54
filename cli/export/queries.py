"""The statements an export reads with. Names are those of the catalogue, quoted; values are arguments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cli.export.columns import Column
from cli.export.datasets import DAY, VIEWS_SCHEMA, Dataset
from cli.export.days import Day, DaySpan

_LOG = "callback_events"
_LOG_COLUMNS = (
    "company_key",
    "callback_type",
    "event_id",
    "event_date",
    "received_at",
    "person_id",
    "person_key",
    "external_person_id",
    "list_id",
    "reason",
    "variant",
    "endpoint",
    "message_id",
    "position",
)
_PAYLOAD = "payload"

COLUMNS = """
SELECT a.attname AS name, t.typname AS pg_type, col_description(a.attrelid, a.attnum) AS comment
FROM pg_attribute AS a
JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
"""The columns of a table or a view, in order. No row: there is no such table or view."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Conditions on rows, and their arguments."""

    conditions: tuple[str, ...] = ()
    arguments: tuple[object, ...] = ()

    def and_(self, condition: str, *arguments: object) -> "Narrowing":
        """Add a condition; `{0}` and so on in it stand for its arguments."""
        places = [f"${len(self.arguments) + number}" for number in range(1, len(arguments) + 1)]
        return Narrowing((*self.conditions, condition.format(*places)), (*self.arguments, *arguments))

    def __str__(self) -> str:
        return f"WHERE {' AND '.join(self.conditions)}" if self.conditions else ""


def relation(dataset: Dataset) -> str:
    """Return the name of what a dataset is read from."""
    return _LOG if dataset.is_log else f"{VIEWS_SCHEMA}.{dataset.name}"


@dataclass(frozen=True, slots=True)
class Table:
    """What a dataset is read from, as the database has it."""

    dataset: Dataset
    relation_columns: tuple[Column, ...]
    payloads: bool

    @property
    def columns(self) -> list[Column]:
        """The columns of the files."""
        if not self.dataset.is_log:
            return [column for column in self.relation_columns if column.name != DAY]
        wanted = (*_LOG_COLUMNS, _PAYLOAD) if self.payloads else _LOG_COLUMNS
        return [column for column in self.relation_columns if column.name in wanted]

    def of(self, company_key: str | None, span: DaySpan) -> Narrowing:
        """Return what leaves the rows of one company (None: of all) and of a span.

        It compares the column itself, so that partitions outside the span are not read.
        """
        rows = Narrowing()
        if company_key is not None:
            rows = rows.and_("company_key = {0}", company_key)
        for operator, edge in ((">=", span.since), ("<", span.until)):
            if edge:
                rows = rows.and_(f"{self._day_column.quoted} {operator} {self._midnight}", edge)
        return rows

    def in_days(self, rows: Narrowing, days: Sequence[Day]) -> Narrowing:
        """Narrow to some days, None among them perhaps."""
        if self.dataset.day_column is None:
            return rows
        dated = [day for day in days if day is not None]
        if None in days:
            return rows.and_(f"({self.day} = ANY ({{0}}::date[]) OR {self.day} IS NULL)", dated)
        rows = rows.and_(f"{self._day_column.quoted} >= {self._midnight}", min(dated))
        rows = rows.and_(f"{self._day_column.quoted} < {self._midnight}", _next(max(dated)))
        return rows if len(dated) == 1 else rows.and_(f"{self.day} = ANY ({{0}}::date[])", dated)

    def count_days(self, rows: Narrowing) -> str:
        """Return the statement that tells how many rows each day has, and a digest of what is in them."""
        if self.dataset.is_log and not self.payloads:
            return self._count_receipts(rows)
        return self._count_contents(rows)

    def select(self, rows: Narrowing) -> str:
        """Return the statement that reads rows: the columns, then the day; day after day."""
        expressions = ", ".join(column.expression for column in self.columns)
        order = "" if self.dataset.by_day else "ORDER BY day_of_row NULLS LAST"
        return f"SELECT {expressions}, {self.day} AS day_of_row FROM {relation(self.dataset)} {rows} {order}"  # noqa: S608 - see above

    def _count_contents(self, rows: Narrowing) -> str:
        columns = self.columns if self.dataset.is_log else self.relation_columns
        names = ", ".join(column.quoted for column in columns)
        return f"""
SELECT {self.day} AS day, count(*) AS rows, sum(hash_record_extended(v, 0))::text AS digest
FROM (SELECT {names} FROM {relation(self.dataset)} {rows}) AS v
GROUP BY 1
"""  # noqa: S608 - see above

    def _count_receipts(self, rows: Narrowing) -> str:
        """Without their payloads, rows of the log never change but when a person is erased.

        So it is enough to know which there are, which the index of receipts tells, and how many of them were erased,
        which another index tells.
        """
        return f"""
SELECT day, sum(rows)::bigint AS rows, sum(receipts) || ' ' || sum(erased) AS digest
FROM (
    SELECT {self.day} AS day, count(*) AS rows, sum(uuid_hash_extended(message_id, position)) AS receipts, 0 AS erased
    FROM {_LOG} {rows}
    GROUP BY 1
    UNION ALL
    SELECT {self.day}, 0, 0, count(*) FROM {_LOG} {rows.and_("callback_type = 'erased'")} GROUP BY 1
) AS counted
GROUP BY day
"""  # noqa: S608 - see above

    @property
    def day(self) -> str:
        """The day of a row, in UTC; NULL: none."""
        if self.dataset.day_column is None:
            return "NULL::date"
        name = self._day_column.quoted
        dated = name if self._day_column.pg_type == "date" else f"({name} AT TIME ZONE 'UTC')::date"
        return f"CASE WHEN isfinite({name}) THEN {dated} END"

    @property
    def _day_column(self) -> Column:
        return next(column for column in self.relation_columns if column.name == self.dataset.day_column)

    @property
    def _midnight(self) -> str:
        """The beginning of a day that is an argument, comparable with the column."""
        return "{0}::date" if self._day_column.pg_type == "date" else "({0}::date::timestamp AT TIME ZONE 'UTC')"


def _next(day: date) -> date:
    return day if day == date.max else day + timedelta(days=1)
