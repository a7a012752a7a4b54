"""`vibes-pipeline maintain`: partitions ahead of time, and nothing older than the policy says."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime

import asyncpg
from rich.console import Console

from cli.printing import as_json, print_table
from cli.services import postgres, why
from runtime.lifecycle import run_process
from runtime.logging import configure_logging
from runtime.postgres import POSTGRES_ERRORS
from runtime.settings import Settings, load_settings
from schemas.errors import ConfigurationError, ServiceError
from workers.maintenance.policy import Policy
from workers.maintenance.run import Done, maintain


def run_maintain(*, dry_run: bool, json: bool) -> bool:
    """Do it once and print what was done; return whether nothing had to be left for the next time.

    Raises ConfigurationError and ServiceError; what was done before stays done.
    """
    settings = load_settings()
    policy = Policy.of(settings)
    configure_logging("WARNING", settings.log_format, "maintain")
    found: list[Done] = []

    async def main(stop: asyncio.Event) -> None:
        try:
            await _run(settings, policy, stop, found, dry_run=dry_run)
        except asyncpg.InsufficientPrivilegeError:
            raise ConfigurationError(
                "DATABASE_URL: this user may not change the tables; use their owner, who migrates"
            ) from None
        except POSTGRES_ERRORS as error:
            raise ServiceError(
                f"DATABASE_URL: the database went away ({why(error)}); what was done stays done, run it again"
            ) from error
        if stop.is_set():
            raise ServiceError("broken off; what was done stays done, run it again")

    run_process(main)
    ok = all(done.problem is None for done in found)
    if json:
        print(as_json({"ok": ok, "dry_run": dry_run, "done": [asdict(done) for done in found]}))
    elif found:
        title = "What would be done" if dry_run else "What was done"
        rows = ((d.action, d.table, d.month, f"{d.rows:,}", f"{d.bytes / 1e6:,.1f}", d.problem) for d in found)
        print_table(title, ("action", "table", "month", "rows removed", "MB before", "problem"), rows)
    else:
        print("there is nothing to do")
    return ok


async def _run(settings: Settings, policy: Policy, stop: asyncio.Event, found: list[Done], *, dry_run: bool) -> None:
    console = Console(stderr=True, highlight=False)
    async with postgres(settings) as connection:
        async for done in maintain(connection, policy, datetime.now(UTC), stop, dry_run=dry_run):
            found.append(done)
            if not dry_run:
                console.print(f"{done.action} {done.table} {done.month or ''}: {done.problem or f'{done.rows:,} rows'}")
