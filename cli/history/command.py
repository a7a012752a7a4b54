"""Run the command: fill, check, tell."""

import asyncio
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.history.checking import Figure, compare
from cli.history.filling import (
    CONNECTIONS,
    apply_history,
    finish,
    make_partitions,
    quiet_company,
    refuse_foreign,
)
from cli.history.options import read_history_spec
from cli.history.telling import telling
from cli.printing import as_json, print_table
from cli.services import postgres, why
from runtime.lifecycle import run_process
from runtime.logging import configure_logging
from runtime.postgres import POSTGRES_ERRORS, create_pool
from runtime.settings import Settings, load_settings
from schemas.errors import ConfigurationError, ServiceError
from simulator.history.spec import HistorySpec


def run_history(
    history: str, events: int, company: str, until: str | None, seed: int, ledger: Path | None, *, json: bool
) -> bool:
    """Fill the database with a history; return whether it holds what the history's ledger tells.

    Raises ConfigurationError and ServiceError.
    """
    spec = read_history_spec(history, events, company, until, seed, datetime.now(UTC))
    quiet_company(company)
    settings = load_settings()
    configure_logging("WARNING", settings.log_format, "simulate")
    figures: list[Figure] = []
    began = time.monotonic()

    async def main(stop: asyncio.Event) -> None:
        try:
            figures.extend(await _run(settings, spec, ledger, stop))
        except POSTGRES_ERRORS as error:
            raise ServiceError(
                f"DATABASE_URL: the database cannot be filled ({why(error)}); the same command goes on from here"
            ) from error

    run_process(main)
    seconds = time.monotonic() - began
    ok = all(figure.ok for figure in figures)
    if json:
        told = [{**asdict(figure), "ok": figure.ok} for figure in figures]
        print(as_json({"ok": ok, "events": spec.events, "seconds": round(seconds, 1), "figures": told}))
    else:
        title = f"{company}, {spec.begin:%F} to {spec.until:%F}: {spec.events:,} events in {seconds:,.0f} s"
        rows = ((f.name, f"{f.ledger:,}", f"{f.database:,}", "" if f.ok else "DIFFERENT") for f in figures)
        print_table(title, ("figure", "ledger", "database", ""), rows)
    return ok


async def _run(settings: Settings, spec: HistorySpec, ledger: Path | None, stop: asyncio.Event) -> list[Figure]:
    if ledger:
        _refuse_unwritable(ledger)
    async with postgres(settings) as connection:
        await refuse_foreign(connection, spec)
        await make_partitions(connection, spec)
        url = settings.database_url.get_secret_value()
        with _bar(spec) as bar:
            task = bar.add_task("applying", total=round(spec.events * (1 + spec.duplicate_ratio)))
            async with (
                create_pool(url, "simulate", min_size=0, max_size=CONNECTIONS, by_key=True) as pool,
                telling(spec, ledger) as told,
            ):
                messages = told.messages()
                await apply_history(pool, spec.company_key, messages, stop, lambda count: bar.advance(task, count))
            bar.update(task, total=told.totals.deliveries)
        await finish(connection)
        return await compare(connection, spec.company_key, told.totals)


def _refuse_unwritable(ledger: Path) -> None:
    try:
        ledger.open("wb").close()
    except OSError as error:
        raise ConfigurationError(f"--ledger {ledger}: cannot be written ({error.strerror})") from error


def _bar(spec: HistorySpec) -> Progress:
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.print(f"applying {spec.events:,} events of {spec.days} days ...")
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f} callbacks"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
