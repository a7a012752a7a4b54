"""Add up what batches leave, for the accounts and for analysts; show on /metrics what does not balance."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from runtime import metrics
from runtime.companies import Companies
from runtime.lifecycle import wait_or_stop
from runtime.postgres import POSTGRES_ERRORS, Pool, statement

log = structlog.get_logger()

_EVERY_SECONDS = 15.0
_LONGEST_SECONDS = 10.0
"""Then Postgres is taken for away; a drain does not wait for it."""
_ROWS_AT_ONCE = 50_000
"""Some seconds of work; a busy pipeline leaves some hundred in the time between."""
_HEARD_WITHIN = timedelta(days=1)
"""Of ingest processes that have been silent for longer, nothing is shown any more: an alert has to end one day, and
`vibes-pipeline audit` still shows it."""


async def keep_accounts(pool: Pool, companies: Companies, stop: asyncio.Event) -> None:
    """Do so until `stop`. Every apply process does; they take different rows and show the same."""
    while not stop.is_set():
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                # Rows that were not added up count all the same: what is shown does not depend on how far this is.
                await pool.fetchval(statement("account_roll_up"), _ROWS_AT_ONCE)
                await _show(pool, companies)
                # Analysts see what was added up, and how far that is.
                await pool.fetchval(statement("analytics_roll_up"), _ROWS_AT_ONCE)
        except POSTGRES_ERRORS as error:
            # The metrics keep what was true when the last look was; its time is a metric too.
            log.warning("apply.accounts_not_kept", error=type(error).__name__)
        await wait_or_stop(stop, _EVERY_SECONDS)


async def _show(pool: Pool, companies: Companies) -> None:
    now = datetime.now(UTC)
    rows = await pool.fetch(statement("account_differences"), now - _HEARD_WITHIN)
    found = {row["company_key"]: row for row in rows}
    # A company that is no longer configured is shown while there is something to be told of it.
    metrics.AUDIT_MISSING.clear()
    metrics.AUDIT_UNREPORTED.clear()
    for company_key in {*found, *(company.company_key for company in companies.companies)}:
        row = found.get(company_key)
        metrics.AUDIT_MISSING.labels(company_key).set(row["missing"] if row else 0)
        metrics.AUDIT_UNREPORTED.labels(company_key).set(row["unreported"] if row else 0)
    metrics.AUDIT_LAST_RUN.set(now.timestamp())
