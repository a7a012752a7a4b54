"""`vibes-pipeline persons import`."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from cli.persons.importing.columns import Empty
from cli.persons.importing.csv_rows import read_delimiter
from cli.persons.importing.lines import check_encoding_name
from cli.persons.importing.options import Format, Options, check_together, choose_format, read_columns
from cli.persons.importing.run import Import
from cli.persons.importing.summary import Summary, print_summary, summary_json
from cli.vibes_account import CompanyKey, choose_company
from runtime.companies import Company, load_companies
from runtime.settings import Settings, load_settings
from schemas.errors import ServiceError


def import_persons(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV or NDJSON, perhaps .gz; - is standard input.")],
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, typer.Option("--format", help="By the file's suffix without it; CSV for other suffixes.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Of CSV; without it the one of , ; tab | that is most often in the header.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="Such as cp1252 or utf-16.")] = "utf-8",
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="COLUMN=FIELD",
            help="Field: external_person_id, mdn, carrier_code, updated_at, custom_fields.NAME. Once for each column.",
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help='TOML file: a table "columns" of "COLUMN" = "FIELD"; --map wins over it.'),
    ] = None,
    ignore_unmapped: Annotated[
        bool, typer.Option("--ignore-unmapped", help="Leave out columns that are no field.")
    ] = False,
    unmapped_as_custom_fields: Annotated[
        bool, typer.Option("--unmapped-as-custom-fields", help="Take columns that are no field for custom fields.")
    ] = False,
    empty: Annotated[
        Empty, typer.Option(help="What an empty cell of CSV does to its field: keep it as it is, or remove it.")
    ] = Empty.KEEP,
    report: Annotated[Path | None, typer.Option(help="CSV file for refused rows; FILE.refused.csv without it.")] = None,
    state: Annotated[
        Path | None, typer.Option(help="Where how far it is is kept; FILE.import-state.json without it.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin with the first row, whatever was imported before.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check everything, publish nothing; needs no broker.")
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="Go to Vibes along with live changes, not behind them.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.1, help="Most rows a second.")] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait for a broker that takes no messages.")] = 300,
    company: CompanyKey = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Import changes of persons from a file of the CRM; stopped or killed, the same command carries on.

    A row that is refused goes to the report and stops no other. Exit code 0: every row was taken; 1: some were refused,
    or it ended before the last row; 2: wrong use, nothing was published.
    """
    options = Options(
        file=file,
        format=choose_format(format, file),
        delimiter=None if delimiter is None else read_delimiter(delimiter),
        encoding=check_encoding_name(encoding),
        columns=read_columns(
            pairs or (),
            mapping,
            ignore_unmapped=ignore_unmapped,
            unmapped_as_custom_fields=unmapped_as_custom_fields,
        ),
        empty=empty,
        report=report,
        state=state,
        restart=restart,
        dry_run=dry_run,
        bulk=not live,
        rate=rate,
        patience=patience,
    )
    check_together(options)
    settings = load_settings()
    summary, problem = _run(options, settings, choose_company(load_companies(settings.companies_file), company))
    if json:
        print(summary_json(summary))
    else:
        print_summary(summary)
    if problem:
        raise ServiceError(problem)
    raise typer.Exit(1 if summary.refused or summary.columns_to_map else 0)


def _run(options: Options, settings: Settings, company: Company) -> tuple[Summary, str | None]:
    """Return what came of the import, and what ended it before the last row."""
    problem = None
    with ExitStack() as context:
        running = Import(options, settings, company, context)
        try:
            if options.dry_run:
                running.dry_run()
            else:
                running.publish()
        except ServiceError as error:
            problem = str(error)
        return running.summary(completed=problem is None), problem
