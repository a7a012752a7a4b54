"""How a reconciliation is shown: while it runs, in its report file, and in the end."""

import csv
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.printing import as_json, print_table
from schemas.errors import ConfigurationError
from workers.reconcile.drift import EXPLANATIONS, Kind
from workers.reconcile.run import Finding
from workers.reconcile.runs import Run
from workers.reconcile.targets import Options

_LINE_SECONDS = 5.0
_COLUMNS = ("person_uid", "external_person_id", "kind", "list_id", "fields", "repaired", "remark")


class CsvReport:
    """A file with a row for each difference; only its owner can read it, because of the external ids."""

    def __init__(self, path: Path, *, append: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
        try:
            self._file = os.fdopen(os.open(path, flags, 0o600), "a" if append else "w", newline="", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"--report {path}: cannot be written ({error.strerror})") from error
        self._rows = csv.writer(self._file)
        if self._file.tell() == 0:
            self._rows.writerow(_COLUMNS)

    def add(self, finding: Finding) -> None:
        """Write the rows of one person."""
        who = (finding.person_uid, finding.external_person_id or "")
        for drift in finding.drifts:
            repaired = "yes" if finding.repaired and drift.repairable else "no"
            fields = " ".join(drift.fields)
            self._rows.writerow((*who, drift.kind, drift.list_id or "", fields, repaired, drift.remark or ""))
        if finding.failure:
            self._rows.writerow((*who, "failed", "", "", "no", finding.failure))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Display:
    """Shows on standard error how far a run is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, run: Run, total: int, report: CsvReport | None) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._report = report
        self._total = total
        self._next_line = time.monotonic() + _LINE_SECONDS
        self._bar = Progress(
            TextColumn("persons"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total or None, completed=run.tally.persons)
        if run.resumed:
            self.notice(f"carrying on the run of {run.started_at:%F %T} UTC after {run.tally.persons} persons")

    def notice(self, what: str) -> None:
        """Tell why it waits."""
        self._console.print(what, markup=False)

    def found(self, finding: Finding) -> None:
        """Put it into the report."""
        if self._report is not None:
            self._report.add(finding)

    def progress(self, run: Run) -> None:
        """Show how far it is."""
        tally = run.tally
        counts = f"{tally.found.total()} differences, {tally.repaired.total()} repaired, {tally.failed} failed"
        self._bar.update(self._task, completed=tally.persons, description=counts)
        if not self._console.is_terminal and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_SECONDS
            self._console.print(f"persons {tally.persons}/{max(self._total, tally.persons)}: {counts}")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._report is not None:
            self._report.close()


def print_outcome(run: Run, company_key: str, options: Options, *, interrupted: bool, json: bool) -> None:
    """Print what was found and what became of it."""
    if json:
        print(as_json(_outcome(run, company_key, options)))
        return
    tally = run.tally
    print_table(
        f"Reconciliation of {company_key}",
        ("difference", "found", "repaired", "what it is", "repair"),
        [
            (kind, tally.found[kind], 0 if options.dry_run else tally.repaired[kind], *EXPLANATIONS[kind])
            for kind in Kind
            if tally.found[kind]
        ],
    )
    print(f"persons compared: {tally.persons}, questions asked: {tally.calls}, failed: {tally.failed}")
    if not run.finished:
        why = "interrupted" if interrupted else "the limit is reached"
        print(f"{why}: run the same command again to carry on")
    if tally.found.total() == 0 and tally.failed == 0:
        print("everything that was compared agrees")
    elif options.dry_run:
        print("a dry run: nothing was changed")
    elif tally.remaining or tally.failed:
        print(f"remaining: {tally.remaining} differences, {tally.failed} persons that could not be compared")
    else:
        print("everything that differed was repaired, or its write to Vibes requested")


def _outcome(run: Run, company_key: str, options: Options) -> dict[str, Any]:
    tally = run.tally
    return {
        "run_id": run.run_id,
        "company_key": company_key,
        "started_at": run.started_at,
        "resumed": run.resumed,
        "finished": run.finished,
        "options": options.to_json(),
        "persons": tally.persons,
        "calls": tally.calls,
        "failed": tally.failed,
        "remaining": tally.remaining,
        "drift": {kind.value: {"found": tally.found[kind], "repaired": tally.repaired[kind]} for kind in Kind},
    }
