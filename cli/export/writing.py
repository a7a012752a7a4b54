"""Rows that come day after day, each day into a file of its own."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import pyarrow as pa  # type: ignore[import-untyped]  # ships no types

from cli.export.days import Day
from cli.export.directory import ExportDirectory, disk_errors
from cli.export.parquet import ParquetFile
from cli.export.planning import Plan


class DayWriter:
    """Writes the days of a plan. A context: what is not finished at its end is not there.

    Its methods raise ServiceError if the disk fails.
    """

    def __init__(self, directory: ExportDirectory, plan: Plan, schema: pa.Schema) -> None:
        self._directory = directory
        self._plan = plan
        self._schema = schema
        self._waiting = set(plan.write)
        self._day: Day = None
        self._file: ParquetFile | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no half file."""
        if self._file is not None:
            with disk_errors(self._directory.path):
                self._file.abandon()

    def add(self, day: Day, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows of a day; with a new day, the one before is complete."""
        with disk_errors(self._directory.path):
            if self._file is None or day != self._day:
                self._finish_day()
                self._waiting.remove(day)
                self._day = day
                self._file = ParquetFile(self._directory.unfinished_file(self._plan.dataset, day), self._schema)
            self._file.add(rows)

    def finish(self) -> None:
        """Complete the last day."""
        with disk_errors(self._directory.path):
            self._finish_day()
        if self._waiting:
            raise RuntimeError(f"{self._plan.dataset}: {len(self._waiting)} days were counted, but had no rows")

    def _finish_day(self) -> None:
        if self._file is None:
            return
        wanted = self._plan.wanted[self._day]
        rows = self._file.finish(wanted.digest)
        self._file = None
        if rows != wanted.rows:
            raise RuntimeError(f"{self._plan.dataset}, {self._day}: {wanted.rows} rows were counted, {rows} read")
