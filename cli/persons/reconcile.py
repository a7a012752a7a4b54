"""`vibes-pipeline persons reconcile`: compare the mirror with Vibes, and repair what lost callbacks left behind."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.persons.reconcile_views import CsvReport, Display, print_outcome
from cli.services import postgres
from cli.vibes_account import CompanyKey, choose_company, told
from runtime.companies import Companies, Company, load_companies
from runtime.lifecycle import run_process
from runtime.logging import configure_logging
from runtime.postgres import POSTGRES_ERRORS, Pool, create_pool
from runtime.settings import Settings, load_settings
from schemas.errors import ConfigurationError, ServiceError
from vibes_api import VibesError
from workers.person_sync.accounts import Account, open_accounts
from workers.person_sync.calls import CallRecorder
from workers.reconcile import runs
from workers.reconcile.run import Reconciler, single
from workers.reconcile.runs import Run
from workers.reconcile.targets import Options, Target, Targets, with_external_id, with_person_key

_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}
_CONNECTIONS = 10


@dataclass(frozen=True, slots=True)
class Job:
    """What the command was asked to do."""

    company: Company
    settings: Settings
    options: Options
    external_ids: Sequence[str]
    person_keys: Sequence[str]
    restart: bool
    limit: int | None
    report: Path | None
    json: bool


def reconcile(
    list_id: Annotated[str | None, typer.Option("--list", help="Only persons with a stay on this list.")] = None,
    subscribed_only: Annotated[
        bool, typer.Option("--subscribed-only", help="Only persons who are subscribed.")
    ] = False,
    not_seen_since: Annotated[
        str | None,
        typer.Option(metavar="30d", help="Not persons whose profile Vibes told in that time: hours 12h, days 30d, 4w."),
    ] = None,
    crm: Annotated[
        bool, typer.Option("--crm", help="Also look up records of the CRM that belong to nobody known here.")
    ] = False,
    external_id: Annotated[
        list[str] | None, typer.Option("--external-id", help="Only the person with this id of yours; repeatable.")
    ] = None,
    person_key: Annotated[
        list[str] | None, typer.Option("--person-key", help="Only the person with this key of Vibes'; repeatable.")
    ] = None,
    close_gone: Annotated[
        bool, typer.Option("--close-gone", help="End here the stays of persons whom Vibes does not know any more.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only; change nothing.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew instead of carrying an interrupted run on.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many persons; the next call carries on.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="CSV file with a row for each difference: ids and field names, no values.")
    ] = None,
    company: CompanyKey = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare persons and subscriptions with Vibes, and repair what callbacks that were lost left behind.

    Reads every person and their subscriptions from Vibes, within the company's rate and behind all other calls; at 80
    requests a second some 140,000 persons an hour. An interrupted run is carried on by the same command. Exit code 0:
    everything agrees or was repaired; 1: something remains, or not everybody was compared.
    """
    settings = load_settings()
    options = Options(list_id, subscribed_only, read_duration(not_seen_since), crm, close_gone, dry_run)
    _check(options, external_id, person_key, restart=restart, limit=limit)
    job = Job(
        company=_with_credentials(choose_company(load_companies(settings.companies_file), company)),
        settings=settings,
        options=options,
        external_ids=external_id or (),
        person_keys=person_key or (),
        restart=restart,
        limit=limit,
        report=report,
        json=json,
    )
    configure_logging("WARNING", settings.log_format, "reconcile")
    outcome: list[tuple[Run, bool]] = []

    async def main(stop: asyncio.Event) -> None:
        outcome.append((await _reconcile(job, stop), stop.is_set()))

    run_process(main)
    ((run, interrupted),) = outcome
    print_outcome(run, job.company.company_key, options, interrupted=interrupted, json=json)
    agrees = run.tally.remaining == 0 and run.tally.failed == 0
    raise typer.Exit(0 if agrees and not interrupted else 1)


def read_duration(text: str | None) -> float | None:
    """Return the seconds of a duration such as 12h, 30d or 4w. Raises ConfigurationError."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})([hdw])", text.strip())
    if match is None:
        raise ConfigurationError(f"--not-seen-since {text}: hours, days or weeks, such as 12h, 30d or 4w")
    return float(int(match[1]) * _SECONDS[match[2]])


def _check(
    options: Options, external_ids: list[str] | None, person_keys: list[str] | None, *, restart: bool, limit: int | None
) -> None:
    if not (external_ids or person_keys):
        return
    if any(not each.strip() for each in (*(external_ids or ()), *(person_keys or ()))):
        raise ConfigurationError("--external-id, --person-key: blank; name a person")
    narrowing = options.list_id or options.subscribed_only or options.not_seen_since_seconds or options.crm
    if narrowing or restart or limit:
        raise ConfigurationError(
            "--external-id and --person-key name single persons; leave out --list, --subscribed-only, "
            "--not-seen-since, --crm, --restart and --limit"
        )


def _with_credentials(company: Company) -> Company:
    if not company.has_api:
        raise ConfigurationError(
            f"companies file, company {company.company_key}: no API credentials; set api_username, and "
            "api_password_env or api_password_file, so that Vibes can be asked"
        )
    return company


async def _reconcile(job: Job, stop: asyncio.Event) -> Run:
    """Run it; what is wrong with a service or with the credentials becomes one clear line."""
    async with postgres(job.settings):
        pass  # Reachable, and with this release's schema: that is told better now than later.
    try:
        return await _with_pool(job, stop)
    except VibesError as error:
        failure = told(error, job.company)
    except POSTGRES_ERRORS as error:
        failure = ServiceError(
            f"DATABASE_URL: Postgres failed ({type(error).__name__}); run the same command again to carry on"
        )
    raise failure


async def _with_pool(job: Job, stop: asyncio.Event) -> Run:
    key = job.company.company_key
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            create_pool(job.settings.database_url.get_secret_value(), "reconcile", min_size=0, max_size=_CONNECTIONS)
        )
        recorder = CallRecorder(pool)
        accounts = await stack.enter_async_context(
            open_accounts(Companies(companies=(job.company,)), job.settings, pool, recorder)
        )
        await stack.enter_async_context(recorder)
        if job.external_ids or job.person_keys:
            run = runs.new_run()
            await _work(job, pool, accounts[key], run, single(*await _singles(job, pool)), None, stop)
            return run
        await stack.enter_async_context(runs.alone(pool, key))
        run = await runs.begin(pool, key, job.options, restart=job.restart)
        targets = Targets(pool, key, job.options, run.started_at)
        await _work(job, pool, accounts[key], run, targets.after(run.cursor), targets, stop)
        return run


async def _work(
    job: Job,
    pool: Pool,
    account: Account,
    run: Run,
    walk: AsyncGenerator[Target, None],
    targets: Targets | None,
    stop: asyncio.Event,
) -> None:
    total = run.tally.persons + (await targets.count(run.cursor) if targets else 0)
    report = CsvReport(job.report, append=run.resumed) if job.report else None
    with Display(run, total, report) as display:
        reconciler = Reconciler(pool, account, job.options, display, stop)
        async with aclosing(walk):
            await reconciler.run(
                run, walk, concurrency=job.settings.person_sync_concurrency, limit=job.limit, kept=targets is not None
            )


async def _singles(job: Job, pool: Pool) -> list[Target]:
    key = job.company.company_key
    found = [await with_person_key(pool, key, person_key) for person_key in job.person_keys]
    for external_id in job.external_ids:
        found += await with_external_id(pool, key, external_id)
    return found
