"""The commands of `vibes-pipeline persons`."""

import typer

from cli.persons.erase import erase, list_erasures
from cli.persons.importing.command import import_persons
from cli.persons.reconcile import reconcile
from cli.persons.show import show
from cli.persons.sync import sync

persons_app = typer.Typer(
    help="Persons: import them from the CRM, show, sync, erase and reconcile them.", no_args_is_help=True
)
persons_app.command("show")(show)
persons_app.command("sync")(sync)
persons_app.command("import")(import_persons)
persons_app.command("erase")(erase)
persons_app.command("erasures")(list_erasures)
persons_app.command("reconcile")(reconcile)
