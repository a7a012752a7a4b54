"""How a status looks on a terminal: what needs attention first, then tables from the request to the Person API."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.accounts import Account
from cli.status.attention import attention
from cli.status.figures import FIGURES, Figure, as_count, as_duration, as_rate, or_dash
from cli.status.gather import Row, Status
from cli.status.processes import Process
from cli.status.samples import NOTHING, Change
from runtime.metrics import Part

_FIGURES = ("acknowledged", "applied", "duplicates", "quarantined", "dead_lettered", "missing", "unreported")


@dataclass(frozen=True, slots=True)
class Looks:
    """A status, and the one before: what is between the two tells how fast things go."""

    now: Status
    before: Status | None = None

    @property
    def seconds(self) -> float:
        """The time between them; 0: there was none before."""
        return (self.now.at - self.before.at).total_seconds() if self.before else 0.0

    def applied_per_second(self, account: Account) -> float | None:
        """Return how many callbacks of a company were dealt with in a second, whatever came of them."""
        before = {each.company_key: each for each in self.before.accounts} if self.before else {}
        if account.company_key not in before or not self.seconds:
            return None
        return (_dealt_with(account) - _dealt_with(before[account.company_key])) / self.seconds

    def change(self, process: Process) -> Change:
        """Return what a process did meanwhile."""
        before = {each.address: each.samples for each in self.before.processes} if self.before else {}
        samples = before.get(process.address, NOTHING)
        return Change(process.samples, samples if samples.names else None, self.seconds)


def show(looks: Looks, heading: str = "") -> RenderableType:
    """Return all of it, to be printed."""
    status = looks.now
    title = Text(f"vibes-pipeline status  {status.at:%F %T} UTC", style="bold")
    parts: list[RenderableType] = [title.append(f"  {heading}", style="dim"), _attention(attention(status))]
    if status.accounts:
        parts.append(_callbacks(looks))
    if status.queues:
        parts.append(_queues(status))
    if status.sync_backlog or status.person_api:
        parts.append(_person_api(status))
    for part in FIGURES:
        processes = [process for process in status.processes if process.part == part]
        if processes:
            parts.append(_processes(part, processes, looks))
    return Group(*parts)


def _attention(lines: Sequence[str]) -> RenderableType:
    if not lines:
        return Text("nothing needs attention", style="green")
    return Text("\n".join(f"! {line}" for line in lines), style="bold red")


def _callbacks(looks: Looks) -> RenderableType:
    status = looks.now
    rows = (
        (account.company_key, *(as_count(getattr(account, name)) for name in _FIGURES), _rate(looks, account))
        for account in status.accounts
    )
    last = f"last applied {status.last_applied_at:%F %T} UTC" if status.last_applied_at else ""
    heads = (*(name.replace("_", "-") for name in _FIGURES), "applied/s")
    return _table("Callbacks", heads, rows, last)


def _rate(looks: Looks, account: Account) -> str:
    return or_dash(looks.applied_per_second(account), as_rate)


def _queues(status: Status) -> RenderableType:
    rows = (
        (depth.queue, or_dash(depth.messages, as_count), or_dash(depth.consumers, as_count)) for depth in status.queues
    )
    return _table("Queues", ("messages", "consumers"), rows)


def _person_api(status: Status) -> RenderableType:
    calls = {row["company_key"]: row for row in status.person_api}
    backlog = {row["company_key"]: row for row in status.sync_backlog}
    rows = (
        (company_key, *_backlog_cells(backlog.get(company_key, {})), *_call_cells(calls.get(company_key, {})))
        for company_key in sorted(calls.keys() | backlog.keys())
    )
    heads = ("pending", "oldest", "conflicts", "rate", "left", "calls", "succeeded", "429", "failed")
    return _table("Person API", heads, rows, "calls: of the last 5 minutes; left: of the rate, in the next second")


def _backlog_cells(row: Row) -> tuple[str, ...]:
    return (
        or_dash(row.get("pending"), as_count),
        or_dash(row.get("oldest_pending_seconds") or None, as_duration),
        or_dash(row.get("conflicts"), as_count),
        or_dash(row.get("rate"), as_rate),
        or_dash(row.get("budget_left"), as_rate),
    )


def _call_cells(row: Row) -> tuple[str, ...]:
    return tuple(as_count(row.get(name, 0)) for name in ("calls", "succeeded", "rate_limited", "failed"))


def _processes(part: Part, processes: Iterable[Process], looks: Looks) -> RenderableType:
    figures = FIGURES[part]
    rows = ((_name(process), *_cells(figures, looks.change(process))) for process in processes)
    return _table(part, [figure.head for figure in figures], rows)


def _name(process: Process) -> str:
    return f"{process.address.partition('://')[2]}{'' if process.ready else ' !'}"


def _cells(figures: Iterable[Figure], change: Change) -> Iterable[str]:
    return (or_dash(figure.of(change), figure.shown) for figure in figures)


def _dealt_with(account: Account) -> int:
    return account.applied + account.duplicates + account.quarantined + account.dead_lettered


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> RenderableType:
    """Return a table whose first column is headed by its title: on a small terminal every line counts."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(Text(title, style="not dim bold cyan"), no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", overflow="fold")
    for row in rows:
        # Text, because what comes from outside is not markup.
        table.add_row(*map(Text, row))
    return Group("", table, Text(note, style="dim")) if note else Group("", table)
