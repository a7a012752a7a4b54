"""`vibes-pipeline export`: its options, and what it prints."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cli.export.datasets import choose_datasets
from cli.export.days import read_days
from cli.export.progress import Watch
from cli.export.run import Request, Summary, run_export
from cli.printing import as_json, moment, print_table
from runtime.settings import load_settings


def export(
    directory: Path,
    only: Sequence[str] | None,
    since: str | None,
    until: str | None,
    company_key: str | None,
    *,
    payloads: bool,
    json: bool,
) -> None:
    """Do what the options of the command say. Raises ConfigurationError and ServiceError."""
    request = Request(
        directory=directory,
        datasets=choose_datasets(only),
        span=read_days(since, until, datetime.now(UTC).date()),
        company_key=company_key,
        payloads=payloads,
    )
    with Watch(quiet=json) as watch:
        summary = asyncio.run(run_export(load_settings(), request, watch))
    print(as_json(summary)) if json else _print(summary)


def _print(summary: Summary) -> None:
    print_table(
        f"{summary.directory}, as of {moment(summary.as_of)} UTC",
        ("dataset", "rows", "days written", "days removed", "rows written", "files", "MB"),
        (
            (
                each.dataset,
                f"{each.rows:,}",
                each.days_written,
                each.days_removed,
                f"{each.rows_written:,}",
                each.files,
                f"{each.bytes / 1e6:,.1f}",
            )
            for each in summary.datasets
        ),
    )
