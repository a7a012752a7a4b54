"""How an erasure looks; numbers and your own ids masked."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cli.printing import moment, print_table
from workers.erasure.identifiers import Identifiers
from workers.erasure.received import Progress as Tell

_AT_VIBES = {
    "nullified": "erased at Vibes",
    "not_found": "not known to Vibes",
    "left_alone": "left as it is at Vibes",
}
_KNOWN_BY = ("person_keys", "person_ids", "external_ids", "numbers")


def described(person: Identifiers) -> dict[str, list[str]]:
    """Return what a person is known by. Vibes' ids are whole, because they are what to choose by."""
    return {
        "person_keys": sorted(person.person_keys),
        "person_ids": sorted(person.person_ids),
        "external_ids": sorted({_masked(one) for one in person.external_person_ids | person.crm_records}),
        "numbers": sorted({_masked(one) for one in person.numbers}),
    }


def erasure_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `erasures` as it is shown: never whom it is about."""
    shown = {name: value for name, value in row.items() if name != "identifiers"}
    return {**shown, "counts": json.loads(row["counts"])}


def print_people(people: Sequence[Mapping[str, Sequence[str]]]) -> None:
    """Print who may be meant."""
    columns = [name.replace("_", " ") for name in _KNOWN_BY]
    print_table("Persons", columns, ([", ".join(person[name]) for name in _KNOWN_BY] for person in people))


def print_plan(person: Mapping[str, Sequence[str]], rows: Mapping[str, int], *, at_vibes: bool) -> None:
    """Print what would be erased."""
    print_people([person])
    print("at Vibes: every field of the person" if at_vibes else "at Vibes: nothing (--local-only)")
    print(f"here: {_counted(rows) or 'nothing is held'}")


def print_erased(erasure: Mapping[str, Any]) -> None:
    """Print what was erased."""
    at_vibes = _AT_VIBES.get(erasure["vibes_outcome"], erasure["vibes_outcome"])
    print(f"erasure {erasure['erasure_id']} is done: {at_vibes}; here: {_counted(erasure['counts']) or 'no rows'}")


def print_erasures(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the erasures."""
    if not rows:
        print("nobody was erased")
        return
    columns = ("erasure", "company", "requested", "status", "at Vibes", "finished", "rows", "reason", "trouble")
    print_table(
        "Erasures (times in UTC)",
        columns,
        (
            (
                row["erasure_id"],
                row["company_key"],
                moment(row["requested_at"]),
                row["status"],
                row["vibes_outcome"],
                moment(row["finished_at"]),
                sum(row["counts"].values()),
                row["reason"],
                row["last_error"],
            )
            for row in rows
        ),
    )


@contextmanager
def reading(*, quiet: bool) -> Iterator[Tell]:
    """Show how much of the log has been read: a bar on a terminal, a line each tenth elsewhere."""
    console = Console(stderr=True, highlight=False)
    if quiet:
        yield lambda _done, _all: None
    elif console.is_terminal:
        columns = (TextColumn("reading the log"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("log", total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        yield _Lines(console)


class _Lines:
    """A line each tenth of the way."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tenths = 0

    def __call__(self, done: int, total: int) -> None:
        tenths = 10 * done // total
        if tenths > self._tenths:
            self._tenths = tenths
            self._console.print(f"reading the log: {tenths * 10} %")


def _counted(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{table} {number}" for table, number in rows.items() if number)


def _masked(text: str) -> str:
    """Return a number or an id with its middle left out."""
    shown = min(2, len(text) // 4)
    return f"{text[:shown]}***{text[-shown:] if shown else ''}"
