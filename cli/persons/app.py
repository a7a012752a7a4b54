"""The commands of `vibes-pipeline persons`."""

import typer

persons_app = typer.Typer(
    help="Persons: import them from the CRM, show, sync, erase and reconcile them.", no_args_is_help=True
)
