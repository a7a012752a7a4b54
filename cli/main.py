"""The commands of `vibes-pipeline`.

Exit codes: 0 done; 1 not as it should be (an audit with a difference, a service that cannot be reached); 2 wrong use
or wrong configuration.
"""

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from cli.lazy import LazyGroup
from cli.processes import run_part
from cli.services import why
from cli.tables import as_json, print_audit
from runtime.companies import hash_endpoint_key
from runtime.migrations import later_migrations
from runtime.migrations import migrate as run_migrations
from runtime.postgres import POSTGRES_ERRORS
from runtime.settings import load_settings
from schemas.errors import ConfigurationError, ServiceError


class _Commands(LazyGroup):
    modules: ClassVar = {
        "callbacks": "cli.callbacks.app:callbacks_app",
        "persons": "cli.persons.app:persons_app",
        "conflicts": "cli.conflicts.app:conflicts_app",
        "dead-letters": "cli.dead_letters.app:dead_letters_app",
        "participants": "cli.signup:participants_app",
        "subscriptions": "cli.signup:subscriptions_app",
    }


app = typer.Typer(
    cls=_Commands,
    help="Vibes callbacks to RabbitMQ to Postgres, and profile changes back to Vibes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Processes = Annotated[int, typer.Option("--processes", "-n", min=1, max=64, help="How many processes to run.")]
Supervised = Annotated[bool, typer.Option("--supervised", hidden=True)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@app.command()
def ingest(processes: Processes = 1, supervised: Supervised = False) -> None:
    """Take callbacks by HTTP and publish them to RabbitMQ. Several processes share the port."""
    run_part("ingest", processes, supervised=supervised)


@app.command()
def apply(processes: Processes = 1, supervised: Supervised = False) -> None:
    """Apply callbacks from RabbitMQ to Postgres."""
    run_part("apply", processes, supervised=supervised)


@app.command("person-sync")
def person_sync(processes: Processes = 1, supervised: Supervised = False) -> None:
    """Bring persons that are due up to date, through the Vibes Person API."""
    run_part("person-sync", processes, supervised=supervised)


@app.command()
def migrate() -> None:
    """Bring the database up to this release's schema. Safe to run twice, also at once."""
    url = load_settings().database_url.get_secret_value()
    try:
        applied = asyncio.run(run_migrations(url))
        later = asyncio.run(later_migrations(url))
    except POSTGRES_ERRORS as error:
        raise ServiceError(f"DATABASE_URL: the database cannot be migrated ({why(error)})") from error
    for name in applied:
        print(f"applied {name}")
    if later:
        print(f"the database is newer than this release: it has {', '.join(later)}")
    else:
        print("the database is up to date")


@app.command()
def declare() -> None:
    """Make the exchanges and queues at the broker, for processes whose user may not. Safe to run twice."""
    from cli.declaring import declare_topology

    asyncio.run(declare_topology(load_settings()))
    print("the broker has every exchange and queue")


@app.command()
def status(
    json: Json = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", "-w", help="Again and again, until Ctrl-C; a line each time if not on a terminal."),
    ] = False,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=0.2, help="How often --watch looks.")] = 2.0,
    admin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Admin address of a process to ask, such as http://ingest:9100; may be repeated. Without it, those of "
            "this machine are asked.",
        ),
    ] = None,
) -> None:
    """Show what was acknowledged, what became of it, what is waiting, and what needs attention."""
    from cli.status.command import run_status

    run_status(admin or [], json=json, watch=watch, every_seconds=every)


@app.command()
def audit(
    json: Json = False,
    receipts: Annotated[
        typer.FileText | None,
        typer.Option(
            help="Check callbacks by id as well: a file with one receipt a line (the X-Receipt-Id of an answer); "
            "- is standard input.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Only callbacks that came from then on, in whole hours: 2024-03-01T14:00, 12h, 7d."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only callbacks that came before, in whole hours.")
    ] = None,
    company: Annotated[str | None, typer.Option(help="Only this company, by its company_key.")] = None,
    by_hour: Annotated[bool, typer.Option("--by-hour", help="Show the hours too, as --since and --until do.")] = False,
    by_id: Annotated[
        bool, typer.Option("--by-id", help="Look up every callback of that time: once where its outcome says?")
    ] = False,
    settle_seconds: Annotated[
        float, typer.Option(min=0, help="How long to wait for callbacks that are on their way.")
    ] = 10.0,
) -> None:
    """Prove that every acknowledged callback is accounted for; exit 1 if one is not."""
    from cli.audit import run_audit

    report = run_audit(
        receipts, since, until, company, by_hour=by_hour, by_id=by_id, settle_seconds=settle_seconds, quiet=json
    )
    if json:
        print(as_json(report))
    else:
        print_audit(report)
    raise typer.Exit(0 if report.ok else 1)


@app.command()
def maintain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    json: Json = False,
) -> None:
    """Make partitions ahead of time, and remove what is older than the settings say. To be run daily."""
    from cli.maintain import run_maintain

    raise typer.Exit(0 if run_maintain(dry_run=dry_run, json=json) else 1)


@app.command("endpoint-key")
def endpoint_key() -> None:
    """Make a key for a callback URL, and what the companies file holds of it."""
    key = secrets.token_urlsafe(32)
    print(f"callback URL:    https://YOUR.HOST/callbacks/{key}")
    print(f'companies file:  key_sha256 = "{hash_endpoint_key(key)}"')


@app.command("crm-token")
def crm_token() -> None:
    """Make a token for POST /crm/persons, and what the companies file holds of it."""
    token = secrets.token_urlsafe(32)
    print(f"token:           {token}")
    print(f'companies file:  crm_tokens = [{{ name = "crm", token_sha256 = "{hash_endpoint_key(token)}" }}]')


@app.command()
def export(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIRECTORY", help="A directory that is empty, not there yet, or an export of before."),
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET", help="Only this: events, or a view of schema analytics; may be repeated."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="Only days from then on, in UTC: 2024-03-01, 7d, 4w.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Only days before.")] = None,
    company: Annotated[str | None, typer.Option(help="Only this company, by its company_key.")] = None,
    payloads: Annotated[
        bool, typer.Option("--payloads", help="The events with their bodies, which hold numbers and names.")
    ] = False,
    json: Json = False,
) -> None:
    """Write events and the analysts' views to Parquet, one directory a day; again, only the days that have changed.

    Exit code 0: the directory shows what the database held when it began; 1: the database or the disk failed, and what
    was exported before is as it was; 2: wrong use, nothing was written.
    """
    try:
        from cli.export.command import export as run_export
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise ConfigurationError(
            "export writes Parquet with pyarrow, which is not installed: pip install 'vibes-pipeline[export]'"
        ) from error
    run_export(directory, only, since, until, company, payloads=payloads, json=json)


@app.command()
def simulate(
    config: Annotated[
        Path | None, typer.Option(help="TOML file with the companies to simulate.", dir_okay=False)
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8090,
    seed: Annotated[int, typer.Option(help="The same seed sends the same events.")] = 1,
    rate_limit: Annotated[int, typer.Option(help="Requests a second for each company; above it 429.", min=1)] = 100,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="Instead, fill DATABASE_URL with so long a history of made-up people, such as 365d, and check it.",
        ),
    ] = None,
    events: Annotated[int, typer.Option(help="How many events the history has.")] = 1_000_000,
    company: Annotated[
        str | None, typer.Option(help="The company_key the history is told of; it must not have callbacks yet.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DAY", help="When the history ends; by default today, 00:00 UTC.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Write what the history told to this file, as NDJSON.", dir_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """Run a stand-in for Vibes: its Person API, and a sender of callbacks. Or make up a history."""
    if history is not None:
        from cli.history.command import run_history

        if company is None:
            raise ConfigurationError("--company: name the company the history is told of, such as --company demo")
        raise typer.Exit(0 if run_history(history, events, company, until, seed, ledger, json=json) else 1)
    if config is None:
        raise ConfigurationError("--config: name a TOML file with the companies to simulate; or give --history")
    from cli.simulate import run_simulator

    run_simulator(config, host, port, seed, rate_limit)


def main() -> None:
    """Run a command; an error a person can mend is told in a line, without a traceback."""
    try:
        app()
    except ConfigurationError as error:
        print(f"vibes-pipeline: {error}", file=sys.stderr)
        sys.exit(2)
    except ServiceError as error:
        print(f"vibes-pipeline: {error}", file=sys.stderr)
        sys.exit(1)
