"""`vibes-pipeline persons sync`: bring somebody up to date now."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.conflicts.advice import TITLES
from cli.conflicts.inputs import Json
from cli.conflicts.kinds import kind_of
from cli.conflicts.naming import label
from cli.persons import lookup
from cli.persons.reading import open_account, read_person
from cli.persons.requesting import Asked, ask_for_all_waiting, ask_for_records, known_records
from cli.persons.waiting import Tally, wait_until_done
from cli.printing import as_json
from cli.services import postgres
from cli.vibes_account import CompanyKey, choose_company
from runtime.companies import Company, load_companies
from runtime.postgres import Connection
from runtime.settings import Settings, load_settings
from schemas.errors import ConfigurationError

_SHOWN = 20

Report = dict[str, Any]


def sync(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="EXTERNAL_ID...", help="The CRM's ids: write their records to Vibes.")
    ] = None,
    person_key: Annotated[
        list[str] | None, typer.Option(help="Read this person from Vibes again; once for each.")
    ] = None,
    all_waiting: Annotated[
        bool, typer.Option("--all-waiting", help="Try everything now that was put off, as after an outage.")
    ] = False,
    company: CompanyKey = None,
    wait: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Wait until it is done, so long at most.")
    ] = None,
    json: Json = False,
) -> None:
    """Bring records or persons up to date now, ahead of imports.

    Records are written by the person workers; persons are read by this command itself. Exit code 1: an unknown id or
    person, or with --wait a conflict or something still waiting.
    """
    if sum(map(bool, (ids, person_key, all_waiting))) != 1:
        raise ConfigurationError("give external ids, or --person-key, or --all-waiting; one of the three")
    settings = load_settings()
    chosen = choose_company(load_companies(settings.companies_file), company)
    if person_key:
        report = asyncio.run(_read(settings, chosen, list(dict.fromkeys(person_key))))
    else:
        report = asyncio.run(_request(settings, chosen, list(dict.fromkeys(ids or ())), wait))
    if json:
        print(as_json(report))
    else:
        _print(report, chosen.company_key)
    if report["unknown"] or report.get("conflicts") or report.get("waiting"):
        raise typer.Exit(1)


async def _read(settings: Settings, company: Company, person_keys: Sequence[str]) -> Report:
    async with postgres(settings) as connection, open_account(settings, company) as account:
        unknown = [key for key in person_keys if not await read_person(connection, account, key)]
    return {"read": len(person_keys) - len(unknown), "unknown": unknown}


async def _request(settings: Settings, company: Company, ids: Sequence[str], wait: float | None) -> Report:
    """Ask for records by their ids, or for everything that waits when there are none."""
    key = company.company_key
    unknown: list[str] = []
    async with postgres(settings) as connection:
        if ids:
            known = await known_records(connection, key, ids)
            unknown = [each for each in ids if each not in known]
            asked = await ask_for_records(connection, company, [each for each in ids if each in known])
        else:
            asked = await ask_for_all_waiting(connection, key)
        report: Report = {"due": asked.count, "unknown": unknown}
        if wait is not None:
            tally = await wait_until_done(connection, key, asked, wait)
            report |= asdict(tally) | {"remarks": await _remarks(connection, key, asked, tally)}
    return report


async def _remarks(connection: Connection, company_key: str, asked: Asked, tally: Tally) -> list[dict[str, Any]]:
    """Return why those that were named did not go through."""
    if asked.uids is None or not (tally.waiting or tally.not_done or tally.conflicts):
        return []
    rows = await lookup.syncs(connection, company_key, asked.uids)
    return [
        {"id": label(row), "status": row["status"], "why": _why(row)}
        for row in rows
        if row["status"] != "synced" or row["last_error"]
    ]


def _why(row: lookup.Row) -> str | None:
    if row["status"] == "conflict":
        return TITLES[kind_of(row["last_error"], row["last_status"], row["last_message"])]
    error: str | None = row["last_error"]
    return error


def _print(report: Report, company_key: str) -> None:
    for each in report["unknown"]:
        where = "Vibes knows no such person" if "read" in report else "the CRM has no such record"
        print(f"{each}: {where}", file=sys.stderr)
    if "read" in report:
        print(f"{report['read']} read from Vibes")
        return
    if "waiting" not in report:
        print(f"{report['due']} due now")
        return
    for remark in report["remarks"][:_SHOWN]:
        print(f"{remark['id']}: {remark['status']}{': ' if remark['why'] else ''}{remark['why'] or ''}")
    counts = ", ".join(f"{report[name]} {name.replace('_', ' ')}" for name in ("synced", "not_done", "conflicts"))
    print(f"{report['due']} due now: {counts}, {report['waiting']} waiting")
    if report["conflicts"]:
        print(f"why: vibes-pipeline conflicts list --company {company_key}", file=sys.stderr)
    if report["waiting"]:
        print("still waiting: is a person worker running? vibes-pipeline status shows its calls", file=sys.stderr)
