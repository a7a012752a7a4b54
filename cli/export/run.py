"""One run of an export: look what has changed, write that, publish it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.export.columns import arrow_schema
from cli.export.datasets import Dataset
from cli.export.days import DaySpan
from cli.export.directory import ExportDirectory
from cli.export.planning import Plan, plan_dataset
from cli.export.progress import Watch
from cli.export.source import Source, database_errors, find_source
from cli.export.writing import DayWriter
from cli.services import postgres
from runtime.postgres import Connection
from runtime.settings import Settings
from schemas.errors import ConfigurationError

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SESSION = "SET cursor_tuple_fraction = 1"
"""All rows will be fetched: plan for that, not for the first ones."""

_ABOUT = """
SELECT now() AS as_of, current_database() || ' of ' || (SELECT system_identifier FROM pg_control_system()) AS database
"""
_COMPANY = "SELECT EXISTS (SELECT FROM callback_events WHERE company_key = $1)"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of an export."""

    directory: Path
    datasets: Sequence[Dataset]
    span: DaySpan
    company_key: str | None
    """None: all companies."""
    payloads: bool
    """Whether the events have their bodies."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What a run did about one dataset."""

    dataset: str
    rows: int
    """In the days that were asked for."""
    days_written: int
    days_removed: int
    rows_written: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did."""

    directory: str
    as_of: datetime
    """The moment in the database that the files show."""
    datasets: list[Exported]


async def run_export(settings: Settings, request: Request, watch: Watch) -> Summary:
    """Bring a directory up to what the database holds now.

    All is read in one transaction, so all datasets show the same moment. Raises ConfigurationError before anything is
    written, ServiceError when the database or the disk fails; then the published files are as they were, or, if it
    failed while they were being renamed, `complete` is false in the directory's notes and the next run mends it.
    """
    with ExportDirectory(request.directory) as directory:
        # Each use of the connection tells what it was for; this is for what goes wrong while coming and going.
        with database_errors("connecting"):
            async with postgres(settings) as connection:
                as_of, database = await _begin(connection, request.company_key)
                of = {"database": database, "company": request.company_key, "payloads": request.payloads}
                noted = directory.claim(of)
                plans = await _write_changes(connection, directory, request, watch)
        return _publish(directory, noted, plans, as_of)


async def _begin(connection: Connection, company_key: str | None) -> tuple[datetime, str]:
    """Begin the transaction; return its moment, and which database it is in."""
    with database_errors("beginning"):
        await connection.execute(_SESSION)
        await connection.execute(_BEGIN)
        (about,) = await connection.fetch(_ABOUT)
        known = company_key is None or await connection.fetchval(_COMPANY, company_key)
    if not known:
        raise ConfigurationError(f"--company {company_key}: the database has no event of such a company")
    return about["as_of"], about["database"]


async def _write_changes(
    connection: Connection, directory: ExportDirectory, request: Request, watch: Watch
) -> list[Plan]:
    work: list[tuple[Source, Plan]] = []
    for dataset in request.datasets:
        watch.counting(dataset.name)
        source = await find_source(connection, dataset, request.company_key, request.span, payloads=request.payloads)
        plan = plan_dataset(
            dataset.name,
            await source.days(),
            directory.published(dataset.name),
            directory.unfinished(dataset.name),
            source.span,
        )
        work.append((source, plan))
    watch.begin(sum(plan.rows for _, plan in work))
    for source, plan in work:
        if plan.write:
            await _write(source, plan, directory, watch)
    return [plan for _, plan in work]


async def _write(source: Source, plan: Plan, directory: ExportDirectory, watch: Watch) -> None:
    """Write the days of a plan beside the published ones."""
    with DayWriter(directory, plan, arrow_schema(source.table.columns)) as writer:
        async for day, rows in source.read(plan.write):
            writer.add(day, rows)
            watch.wrote(plan.dataset, len(rows))
        writer.finish()


def _publish(directory: ExportDirectory, noted: dict[str, Any], plans: Sequence[Plan], as_of: datetime) -> Summary:
    """Put the files in their places, and note it. In between, the directory's notes say that it is not complete."""
    directory.note({**noted, "complete": False})
    directory.publish(plans)
    summary = Summary(str(directory.path), as_of, [_exported(directory, plan) for plan in plans])
    datasets = {each.dataset: {"as_of": as_of, "files": each.files} for each in summary.datasets}
    directory.note({**noted, "complete": True, "as_of": as_of, "datasets": {**noted["datasets"], **datasets}})
    return summary


def _exported(directory: ExportDirectory, plan: Plan) -> Exported:
    files, size = directory.size(plan.dataset)
    return Exported(
        dataset=plan.dataset,
        rows=sum(found.rows for found in plan.wanted.values()),
        days_written=len(plan.write) + len(plan.ready),
        days_removed=len(plan.remove),
        rows_written=plan.rows,
        files=files,
        bytes=size,
    )
