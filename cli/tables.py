"""How an audit looks: tables for people, JSON for programs."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from cli.accounts import Account, HourAccount
from cli.reports import Audit

_FILE_WIDTH = 200


def as_json(report: Audit) -> str:
    """Return a report as one JSON object."""
    return orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()


def print_audit(audit: Audit) -> None:
    """Print the accounts, and the verdict."""
    console = _console()
    console.print(_accounts_table("Callbacks", audit.accounts))
    if audit.hours is not None:
        console.print(_hours_table(audit.hours))
    if audit.positions is not None:
        found = audit.positions
        console.print(f"callbacks looked up: {found.checked}, inconsistent: {found.inconsistent}")
        for receipt in found.examples[:20]:
            console.print(f"  {receipt}")
    if audit.receipts is not None:
        check = audit.receipts
        console.print(
            f"receipts checked: {check.checked}, missing: {len(check.missing)}, inconsistent: {len(check.inconsistent)}"
        )
        for receipt in [*check.missing, *check.inconsistent][:20]:
            console.print(f"  {receipt}")
    if not audit.ok:
        console.print(
            "[bold red]NOT ACCOUNTED FOR[/]: the queues are empty, and yet acknowledged callbacks are missing or not "
            "where their outcome says"
        )
    elif audit.missing:
        console.print(f"on their way: {audit.missing} callbacks; {audit.waiting_messages} broker messages are waiting")
    else:
        console.print("every acknowledged callback is accounted for")


def _console() -> Console:
    """Return standard output; as wide as it takes where it is no terminal, so that nothing is cut off in a file."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    return console


_FIGURES = ("acknowledged", "applied", "duplicates", "quarantined", "dead_lettered", "missing", "unreported")
_HEADS = tuple(name.replace("_", "-") for name in _FIGURES)


def _accounts_table(title: str, accounts: Iterable[Account]) -> Table:
    return _table(title, ("company", *_HEADS), ((account.company_key, *_figures(account)) for account in accounts))


def _hours_table(hours: Iterable[HourAccount]) -> Table:
    rows = ((account.company_key, f"{account.hour:%F %H}:00 UTC", *_figures(account)) for account in hours)
    return _table("By hour", ("company", "hour", *_HEADS), rows)


def _figures(account: Account) -> Iterable[int]:
    return (getattr(account, name) for name in _FIGURES)


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    return table
