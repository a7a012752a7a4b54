"""What several commands of `conflicts` and `persons` take, and how it is checked."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from schemas.errors import ConfigurationError
from schemas.values import read_timestamp

_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="EXTERNAL_ID...", help="The CRM's ids of the records, or uids as the list shows them."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Unmasked = Annotated[bool, typer.Option("--unmasked", help="Show numbers, addresses and Vibes' messages as they are.")]
StatusCode = Annotated[
    int | None, typer.Option("--status-code", min=400, max=499, help="Only those Vibes answered with this HTTP status.")
]


def read_since(text: str | None, now: datetime | None = None) -> datetime | None:
    """Return the moment an option names: a time such as 2026-01-31T12:00Z, or so long ago (90m, 24h, 7d).

    Raises ConfigurationError.
    """
    if text is None:
        return None
    ago = _AGO.fullmatch(text.strip())
    moment = read_timestamp(text)
    try:
        if ago is not None:
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    except OverflowError:
        moment = None
    if moment is None:
        raise ConfigurationError("--since: must be a time such as 2026-01-31T12:00Z, or so long ago, such as 24h or 7d")
    return moment
