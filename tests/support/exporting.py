"""A small history in a database, an export of it, and DuckDB to read that with."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from cli.export.datasets import DATASETS, choose_datasets
from cli.export.days import DaySpan
from cli.export.progress import Watch
from cli.export.run import Exported, Request, Summary, run_export
from cli.history.filling import finish
from runtime.postgres import Connection, connect, create_pool
from runtime.settings import Settings
from simulator.history.history import History
from simulator.history.spec import HistorySpec
from tests.support.history import fill_history

COMPANY = "acme"
UNTIL = datetime(2024, 4, 1, tzinfo=UTC)
ALL_DAYS = DaySpan()


async def fill(database_url: str, days: int, events: int, *, company_key: str = COMPANY) -> History:
    """Have a history that ends with March 2024 applied by the code that applies callbacks."""
    history = History(HistorySpec(company_key, UNTIL - timedelta(days=days), UNTIL, events))
    connection = await connect(database_url, "test")
    try:
        async with create_pool(database_url, "test", min_size=1, max_size=4) as pool:
            await fill_history(pool, history)
        await finish(connection)
    finally:
        await connection.close()
    return history


async def export(
    database_url: str,
    directory: Path,
    *only: str,
    span: DaySpan = ALL_DAYS,
    company_key: str | None = None,
    payloads: bool = False,
    watch: Watch | None = None,
) -> Summary:
    """Run an export as the command does."""
    settings = Settings(DATABASE_URL=database_url)
    request = Request(directory, choose_datasets(only), span, company_key, payloads)
    return await run_export(settings, request, watch or Watch(quiet=True))


def written(summary: Summary) -> dict[str, tuple[int, int]]:
    """Return the datasets of which days were written or removed, and how many."""
    return {
        each.dataset: (each.days_written, each.days_removed)
        for each in summary.datasets
        if each.days_written or each.days_removed
    }


def of(summary: Summary, dataset: str) -> Exported:
    """Return what was done about a dataset."""
    (found,) = (each for each in summary.datasets if each.dataset == dataset)
    return found


def duck(directory: Path, query: str) -> list[dict[str, Any]]:
    """Return the rows of a query in DuckDB; `{events}` in it stands for the files of that dataset."""
    files = {name: f"read_parquet('{directory}/{name}/**/*.parquet', hive_partitioning = true)" for name in DATASETS}
    with duckdb.connect(":memory:") as connection:
        rows: list[dict[str, Any]] = connection.sql(query.format_map(files)).to_arrow_table().to_pylist()
    return rows


async def postgres(connection: Connection, query: str) -> list[dict[str, Any]]:
    """Return the rows of the same query in PostgreSQL, from the log and the views."""
    relations = {name: "callback_events" if each.is_log else f"analytics.{name}" for name, each in DATASETS.items()}
    return [dict(row) for row in await connection.fetch(query.format_map(relations))]


def everything(dataset: str) -> str:
    """Return the query for all that a dataset has."""
    return f"SELECT * FROM {{{dataset}}}"  # noqa: S608 - one of ours


def multiset(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> Counter[tuple[str, ...]]:
    """Return rows so that they can be compared: without an order, ids and times in one spelling."""
    return Counter(tuple(_plain(row[name]) for name in names) for row in rows)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return repr(value) if isinstance(value, float) else str(value)
