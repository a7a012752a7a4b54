"""The commands of `vibes-pipeline dead-letters`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from cli.dead_letters.acting import Acted, act
from cli.dead_letters.filters import (
    By,
    CallbackType,
    CompanyKey,
    Ids,
    Json,
    Kind,
    Reason,
    Since,
    Stage,
    Status,
    Until,
    narrowed,
    read_filter,
    who,
)
from cli.dead_letters.raw import write_raw
from cli.dead_letters.views import print_acted, print_letter, print_letters, print_run, print_runs, print_sorts
from cli.services import postgres
from runtime.postgres import Connection, statement
from runtime.settings import load_settings
from schemas.errors import ConfigurationError, ServiceError
from workers.replay import runs
from workers.replay.letters import DISCARDED, OPEN, count_letters
from workers.replay.results import Outcome
from workers.replay.runs import Request

T = TypeVar("T")

DEFAULT_RATE = 50.0
"""Letters a second. Live traffic comes first: a worker applies thousands a second, and Vibes takes 100 calls."""

dead_letters_app = typer.Typer(
    help="What could not be read or applied: see why, replay it once that is mended, or discard it.",
    no_args_is_help=True,
)

Limit = Annotated[int, typer.Option(min=1, max=100_000, help="How many to show.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would come of it; change nothing.")]
Everything = Annotated[bool, typer.Option("--all", help="Every letter that is open.")]
Resume = Annotated[UUID | None, typer.Option(metavar="RUN_ID", help="Carry this run on where it was interrupted.")]


@dead_letters_app.command("list")
def list_letters(
    ids: Ids = None,
    company: CompanyKey = None,
    kind: Kind = None,
    stage: Stage = None,
    reason: Reason = None,
    callback_type: CallbackType = None,
    since: Since = None,
    until: Until = None,
    status: Status = OPEN,
    group: Annotated[bool, typer.Option("--group", help="Add up those that failed alike.")] = False,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """List dead letters, the newest first; those that are open unless told otherwise."""
    wanted = read_filter(
        status=status,
        ids=ids,
        company=company,
        kind=kind,
        stage=stage,
        reason=reason,
        callback_type=callback_type,
        since=since,
        until=until,
    )

    async def read(connection: Connection) -> None:
        sorts, _ = await count_letters(connection, wanted)
        if group:
            print_sorts(sorts, json=json)
            return
        rows = await connection.fetch(statement("dead_letters_list"), *wanted.arguments, limit)
        print_letters([dict(row) for row in rows], sum(sort.letters for sort in sorts), json=json)

    _with_database(read)


@dead_letters_app.command()
def show(
    letter: Annotated[int, typer.Argument(metavar="ID", help="Id of the letter.")],
    raw: Annotated[bool, typer.Option("--raw", help="Hand out what it holds, byte for byte.")] = False,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="With --raw: into this new file.")] = None,
    json: Json = False,
) -> None:
    """Show one dead letter: what is wrong with it, where it came from, what was done about it."""
    if output is not None and not raw:
        raise ConfigurationError("--output goes with --raw")
    if raw and json:
        raise ConfigurationError("--raw hands out bytes; leave out --json")

    async def read(connection: Connection) -> None:
        row = await connection.fetchrow(statement("dead_letters_show"), letter)
        if row is None:
            raise ServiceError(f"there is no dead letter {letter}: `vibes-pipeline dead-letters list` shows them")
        if not raw:
            history = await connection.fetch(statement("dead_letters_history"), letter)
            print_letter(dict(row), [dict(each) for each in history], json=json)
        elif row["erased_at"] or row["body_removed_at"]:
            why = "about a person who was erased" if row["erased_at"] else "discarded with its body"
            raise ServiceError(f"dead letter {letter} holds nothing any more: it was {why}")
        else:
            write_raw(row["body"], output)

    _with_database(read)


@dead_letters_app.command()
def replay(
    ids: Ids = None,
    company: CompanyKey = None,
    kind: Kind = None,
    stage: Stage = None,
    reason: Reason = None,
    callback_type: CallbackType = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    discarded: Annotated[bool, typer.Option("--discarded", help="Those discarded, not those that are open.")] = False,
    dry_run: DryRun = False,
    rate: Annotated[
        float, typer.Option(min=0.1, max=100_000, help="Letters a second at most; it rests as long as it works.")
    ] = DEFAULT_RATE,
    resume: Resume = None,
    by: By = None,
    note: Annotated[str | None, typer.Option(help="Why; kept with the run.")] = None,
    json: Json = False,
) -> None:
    """Apply dead letters once more, by the code and configuration as they are now.

    One that fails again stays the letter it is, with what was tried in its history. Ctrl-C ends it cleanly. Exit code
    0: all of them were dealt with; 1: some failed again, or it was interrupted; 2: wrong use.
    """
    wanted = read_filter(
        status=DISCARDED if discarded else OPEN,
        ids=ids,
        company=company,
        kind=kind,
        stage=stage,
        reason=reason,
        callback_type=callback_type,
        since=since,
        until=until,
    )
    request = Request(runs.REPLAY, who(by), wanted, _said(note), rate=rate)
    acted = _act(request, resume, everything=everything, dry=dry_run)
    print_acted(acted, dry=dry_run, json=json)
    raise typer.Exit(0 if acted.run.finished and not acted.run.counts[Outcome.FAILED] else 1)


@dead_letters_app.command()
def discard(
    ids: Ids = None,
    company: CompanyKey = None,
    kind: Kind = None,
    stage: Stage = None,
    reason: Reason = None,
    callback_type: CallbackType = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    remove_body: Annotated[
        bool, typer.Option("--remove-body", help="Also remove what they hold, for good: no replay is possible then.")
    ] = False,
    dry_run: DryRun = False,
    resume: Resume = None,
    by: By = None,
    note: Annotated[str | None, typer.Option(help="Why they will never be applied; kept with them.")] = None,
    json: Json = False,
) -> None:
    """Decide that dead letters will never be applied. They stay, marked, with who decided it, when and why."""
    wanted = read_filter(
        status=OPEN,
        ids=ids,
        company=company,
        kind=kind,
        stage=stage,
        reason=reason,
        callback_type=callback_type,
        since=since,
        until=until,
    )
    if _said(note) is None and resume is None and not dry_run:
        raise ConfigurationError('--note: say why. Example: --note "OPS-123: sent by a load test"')
    if dry_run:
        narrowed(wanted, everything=everything)

        async def count(connection: Connection) -> None:
            print_sorts((await count_letters(connection, wanted))[0], json=json)

        _with_database(count)
        return
    request = Request(runs.DISCARD, who(by), wanted, _said(note), remove_body=remove_body)
    acted = _act(request, resume, everything=everything)
    print_acted(acted, dry=False, json=json)
    raise typer.Exit(0 if acted.run.finished else 1)


@dead_letters_app.command("runs")
def list_runs(
    run: Annotated[UUID | None, typer.Argument(metavar="RUN_ID", help="Only this one, letter by letter.")] = None,
    limit: Limit = 100,
    json: Json = False,
) -> None:
    """Show the replays and discards: who asked for them, for which letters, and what came of it."""

    async def read(connection: Connection) -> None:
        if run is None:
            print_runs(await runs.list_runs(connection, limit), json=json)
            return
        found = await runs.load(connection, run)
        rows = await connection.fetch(statement("dead_letters_run_rows"), run, limit)
        print_run(found, [dict(row) for row in rows], json=json)

    _with_database(read)


def _act(request: Request, resume: UUID | None, *, everything: bool, dry: bool = False) -> Acted:
    if resume is None:
        narrowed(request.wanted, everything=everything)
        return act(request, request.action, dry=dry)
    if everything or dry or not request.wanted.is_everything:
        raise ConfigurationError("--resume carries a run on as it was asked for; leave out ids, filters and --dry-run")
    return act(resume, request.action)


def _said(note: str | None) -> str | None:
    return note.strip() or None if note else None


def _with_database(read: Callable[[Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with postgres(load_settings()) as connection:
            return await read(connection)

    return asyncio.run(run())
