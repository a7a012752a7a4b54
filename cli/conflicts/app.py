"""The commands of `vibes-pipeline conflicts`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import typer

from cli.conflicts.accepting import accept_person as bind_and_retry
from cli.conflicts.decisions import UNKNOWN, Outcome, retry_all
from cli.conflicts.decisions import resolve as close
from cli.conflicts.decisions import retry as make_due
from cli.conflicts.findings import Findings, find_out
from cli.conflicts.inputs import Ids, Json, StatusCode, Unmasked, read_since
from cli.conflicts.naming import find_named
from cli.conflicts.views import findings_json, list_json, outcomes_json, print_findings, print_list
from cli.persons.lookup import Row
from cli.printing import as_json
from cli.services import postgres
from cli.vibes_account import CompanyKey, choose_company
from runtime.companies import Company, load_companies
from runtime.postgres import Connection, statement
from runtime.settings import load_settings
from schemas.errors import ConfigurationError, ServiceError

T = TypeVar("T")

conflicts_app = typer.Typer(
    help="What Vibes refused for good: see why, then retry or resolve it.", no_args_is_help=True
)

OneId = Annotated[
    str, typer.Argument(metavar="EXTERNAL_ID|UID", help="The CRM's id of the record, or the uid the list shows.")
]


@conflicts_app.command("list")
def list_all(
    company: Annotated[str | None, typer.Option(help="Only of this company_key.")] = None,
    status_code: StatusCode = None,
    since: Annotated[
        str | None, typer.Option(help="Only those since a time (2026-01-31T12:00Z), or of the last 24h, 7d, ...")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many to show.")] = 100,
    unmasked: Unmasked = False,
    json: Json = False,
) -> None:
    """List the conflicts, the newest first."""
    moment = read_since(since)
    settings = load_settings()
    if company is not None:
        choose_company(load_companies(settings.companies_file), company)

    async def read() -> list[Row]:
        async with postgres(settings) as connection:
            rows = await connection.fetch(statement("list_conflicts"), company, status_code, moment, limit)
            return [dict(row) for row in rows]

    rows = asyncio.run(read())
    if json:
        print(as_json(list_json(rows, unmasked=unmasked)))
    else:
        print_list(rows, unmasked=unmasked)


@conflicts_app.command()
def show(argument: OneId, company: CompanyKey = None, unmasked: Unmasked = False, json: Json = False) -> None:
    """Show one conflict: what the CRM wants, what Vibes has, what was tried, and what to do."""

    async def read(connection: Connection, chosen: Company) -> tuple[str, Findings]:
        (named,) = await find_named(connection, chosen.company_key, [argument])
        if named.row is None:
            raise ServiceError(f"{argument}: {UNKNOWN}")
        return chosen.company_key, await find_out(connection, chosen, named.row)

    company_key, findings = _with_company(company, read)
    if json:
        print(as_json(findings_json(findings, company_key, unmasked=unmasked)))
    else:
        print_findings(findings, unmasked=unmasked)


@conflicts_app.command()
def retry(
    ids: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="All conflicts of the company.")] = False,
    status_code: StatusCode = None,
    company: CompanyKey = None,
    json: Json = False,
) -> None:
    """Have conflicts tried again now, after their cause was removed. Exit code 1: one that is named is no conflict."""
    if everything == bool(ids):
        raise ConfigurationError("name the conflicts, or give --all; not both")
    if status_code is not None and not everything:
        raise ConfigurationError("--status-code goes with --all")
    if everything:
        count = _with_company(
            company, lambda connection, chosen: retry_all(connection, chosen.company_key, status_code)
        )
        print(as_json({"due": count}) if json else f"{count} due now")
        return
    outcomes = _with_company(company, lambda connection, chosen: make_due(connection, chosen.company_key, ids or ()))
    _finish(outcomes, "due now", json=json)


@conflicts_app.command()
def resolve(
    ids: Ids = None,
    note: Annotated[str, typer.Option(help="What was decided, and why; kept with the conflict.")] = "",
    accept_person: Annotated[
        str | None,
        typer.Option(metavar="PERSON_KEY", help="The person at Vibes the record means: written to them from now on."),
    ] = None,
    company: CompanyKey = None,
    json: Json = False,
) -> None:
    """Close conflicts: nothing is tried again until the record changes. With --accept-person: bind it and try now."""
    if not ids:
        raise ConfigurationError("name the conflicts, by external id or uid")
    if not note.strip():
        raise ConfigurationError('--note: say what was decided, and why. Example: --note "left the company"')
    if accept_person is None:
        outcomes = _with_company(company, lambda connection, chosen: close(connection, chosen.company_key, ids, note))
        _finish(outcomes, "resolved", json=json)
        return
    if len(set(ids)) > 1:
        raise ConfigurationError("--accept-person: name one conflict, as a person has one record")
    person_key = accept_person
    outcome = _with_company(
        company, lambda connection, chosen: bind_and_retry(connection, chosen, ids[0], person_key, note)
    )
    _finish([outcome], "bound and due now", json=json)


def _with_company(company_key: str | None, action: Callable[[Connection, Company], Awaitable[T]]) -> T:
    """Do something with the database for one company of the companies file."""
    settings = load_settings()
    company = choose_company(load_companies(settings.companies_file), company_key)

    async def run() -> T:
        async with postgres(settings) as connection:
            return await action(connection, company)

    return asyncio.run(run())


def _finish(outcomes: Sequence[Outcome], done: str, *, json: bool) -> None:
    """Tell what became of each; exit with 1 if one could not be done."""
    if json:
        print(as_json(outcomes_json(outcomes)))
    else:
        print(f"{sum(each.changed for each in outcomes)} {done}")
        for each in outcomes:
            if each.note:
                print(f"{each.argument}: {each.note}", file=sys.stdout if each.done else sys.stderr)
    if not all(each.done for each in outcomes):
        raise typer.Exit(1)
