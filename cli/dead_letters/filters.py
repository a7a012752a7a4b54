"""Which dead letters a command is about, and who asks."""

import getpass
import os
import socket
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from cli.conflicts.inputs import read_since
from schemas.errors import ConfigurationError
from workers.replay.letters import STATUSES, Filter

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID...", help="Ids of letters, as the list shows them.")]
CompanyKey = Annotated[str | None, typer.Option("--company", help="Only of this company_key.")]
Kind = Annotated[str | None, typer.Option(help="Only quarantined (unreadable) or dead_lettered ones.")]
Stage = Annotated[str | None, typer.Option(help="Only those set aside there: decode, apply, crm, delivery.")]
Reason = Annotated[str | None, typer.Option(help="Only those with this reason, as the list shows it.")]
CallbackType = Annotated[str | None, typer.Option("--type", help="Only of this callback type.")]
Since = Annotated[
    str | None, typer.Option(help="Only those set aside since a time (2026-01-31T12:00Z), or in the last 24h, 7d, ...")
]
Until = Annotated[str | None, typer.Option(help="Only those set aside before a time, or longer ago than 24h, 7d, ...")]
Status = Annotated[str, typer.Option(help="open, replayed, discarded, erased, or all.")]
By = Annotated[str | None, typer.Option("--by", help="Who asks for it; else the user and machine it runs on.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

ALL = "all"
_KINDS = ("quarantined", "dead_lettered")


def read_filter(
    *,
    status: str,
    ids: Sequence[int] | None = None,
    company: str | None = None,
    kind: str | None = None,
    stage: str | None = None,
    reason: str | None = None,
    callback_type: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Filter:
    """Return the filter that the options name. Raises ConfigurationError."""
    if kind is not None and kind not in _KINDS:
        raise ConfigurationError(f"--kind {kind}: must be one of {', '.join(_KINDS)}")
    if status not in (*STATUSES, ALL):
        raise ConfigurationError(f"--status {status}: must be one of {', '.join((*STATUSES, ALL))}")
    return Filter(
        company_key=company,
        kind=kind,
        stage=stage,
        reason=reason,
        callback_type=callback_type,
        since=_moment("--since", since),
        until=_moment("--until", until),
        ids=tuple(sorted(set(ids))) if ids else None,
        status=None if status == ALL else status,
    )


def narrowed(wanted: Filter, *, everything: bool) -> Filter:
    """Return the filter of a command that changes something; all letters have to be asked for by name.

    Raises ConfigurationError.
    """
    if wanted.is_everything and not everything:
        raise ConfigurationError("name the letters by their ids or by filters, or give --all")
    if everything and not wanted.is_everything:
        raise ConfigurationError("--all means every letter; leave out the ids and filters, or --all")
    return wanted


def who(by: str | None) -> str:
    """Return who asks for it: what they say, else the user and the machine. Raises ConfigurationError."""
    if by is not None:
        if not by.strip():
            raise ConfigurationError("--by: blank; say who asks for it")
        return by.strip()
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _moment(option: str, text: str | None) -> datetime | None:
    try:
        return read_since(text)
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace("--since", option, 1)) from None
