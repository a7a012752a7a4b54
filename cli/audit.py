"""What `vibes-pipeline audit` is asked, and how far it is."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console

from cli.accounts import parse_receipts
from cli.positions import Told
from cli.reports import Audit, Question, gather_audit
from cli.span import read_span
from runtime.settings import load_settings

_A_LINE_EVERY = 1_000_000


def run_audit(
    receipts: Iterable[str] | None,
    since: str | None,
    until: str | None,
    company_key: str | None,
    *,
    by_hour: bool,
    by_id: bool,
    settle_seconds: float,
    quiet: bool,
) -> Audit:
    """Ask what the options of the command say. Raises ConfigurationError and ServiceError."""
    question = Question(
        span=read_span(since, until, datetime.now(UTC)),
        company_key=company_key,
        receipts=parse_receipts(receipts) if receipts is not None else None,
        by_hour=by_hour or since is not None or until is not None,
        by_id=by_id,
    )
    with _looking_up(quiet=quiet) as tell:
        return asyncio.run(gather_audit(load_settings(), question, settle_seconds, tell))


@contextmanager
def _looking_up(*, quiet: bool) -> Iterator[Told]:
    """Show how many callbacks were looked up: a running number on a terminal, a line each million elsewhere."""
    console = Console(stderr=True, highlight=False)
    if quiet:
        yield lambda _number: None
    elif console.is_terminal:
        with console.status("reading the accounts") as shown:
            yield lambda number: shown.update(f"{number} callbacks looked up")
    else:
        yield _Lines(console)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0

    def __call__(self, number: int) -> None:
        if number >= self._told + _A_LINE_EVERY:
            self._told = number
            self._console.print(f"{number} callbacks looked up")
