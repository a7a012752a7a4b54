"""Lead an import from the first row to the last."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

from cli.persons.importing.chunks import CHUNK_ROWS, Chunk, chunks
from cli.persons.importing.columns import Unmapped
from cli.persons.importing.duplicates import Duplicates
from cli.persons.importing.feeding import Feeder
from cli.persons.importing.judging import Judge, Refusal
from cli.persons.importing.options import Options
from cli.persons.importing.progress import Watch
from cli.persons.importing.publishing import Publisher, broker_url
from cli.persons.importing.reading import begin_reading
from cli.persons.importing.refusals import Report, open_report
from cli.persons.importing.source import Identity, Source, open_source
from cli.persons.importing.state import State, StateFile
from cli.persons.importing.summary import Example, Summary, field_use
from cli.persons.importing.tally import Tally
from runtime.companies import Company
from runtime.lifecycle import run_process
from runtime.logging import configure_logging
from runtime.settings import Settings
from schemas.errors import ServiceError

_NO_IDENTITY = Identity(0, 0, "")
_REPORT_OF_A_PIPE = Path("import.refused.csv")


class Import:
    """One run of an import. The context closes what it opens.

    Raises ConfigurationError, with nothing published, when something is not as it should be.
    """

    def __init__(self, options: Options, settings: Settings, company: Company, context: ExitStack) -> None:
        self._began = time.monotonic()
        self._options = options
        self._settings = settings
        self._company = company
        self._url = broker_url(settings)
        self._source = context.enter_context(open_source(options.file, options.encoding))
        self._reading = begin_reading(self._source, options)
        self._report = _open_report(options, self._source, context)
        # Before the report is begun anew: a finished import keeps its report.
        self._state = StateFile(
            _state_path(options, self._source), _new_state(options, self._source, company), restart=options.restart
        )
        if self._report:
            self._report.begin()
        self._tally = Tally(context.enter_context(Duplicates()), self._report.add if self._report else _forget)
        size = self._source.identity.size if self._source.identity else None
        self._watch = context.enter_context(Watch("read" if options.dry_run else "imported", size))
        self._after_row = self._state.state.confirmed_row
        self._messages = 0

    def dry_run(self) -> None:
        """Read everything, publish nothing. Raises ServiceError when the file cannot be read to its end."""
        for _ in self._chunks():
            pass

    def publish(self) -> None:
        """Publish everything that was not published before.

        Raises ServiceError when it ends before the last row: asked to, or for the broker's or a disk's sake. The broker
        then has all rows up to `Summary.confirmed_row`.
        """
        if self._after_row:
            self._watch.tell(f"carrying on after row {self._after_row}; the rows before it are only read again")
        if self._source.path is None:
            self._watch.tell("this input cannot be read again: should the import stop, it cannot be carried on")
        configure_logging("WARNING", self._settings.log_format, "persons-import")
        try:
            run_process(self._publish)
        except ServiceError as problem:
            raise ServiceError(f"{problem}; {self._what_next()}") from problem
        finally:
            self._state.flush()
        if self._source.changed():
            raise ServiceError(f"{self._source.name}: changed while it was read; import it again with --restart")
        self._state.finish(self._tally.rows, self._tally.accepted, datetime.now(UTC))

    async def _publish(self, stop: asyncio.Event) -> None:
        options = self._options
        publisher = Publisher(self._settings, self._url, options.patience, stop, self._state.confirm, self._watch.tell)
        feeder = Feeder(publisher, self._company.company_key, stop, bulk=options.bulk, rate=options.rate)
        most_rows = min(CHUNK_ROWS, ceil(options.rate)) if options.rate else CHUNK_ROWS
        try:
            done = await feeder.feed(self._chunks(most_rows))
        finally:
            self._messages = publisher.messages
        if not done:
            raise ServiceError("stopped, as asked")

    def _chunks(self, most_rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
        judge = Judge(self._reading.record_of, self._company, self._state.state.started_at)
        for chunk in chunks(self._reading.rows, judge, self._tally.add, self._after_row, most_rows):
            yield chunk
            self._watch.show(self._tally.rows, self._source.position())

    def summary(self, *, completed: bool) -> Summary:
        """Return what came of it."""
        tally, report, repeated = self._tally, self._report, self._tally.repeated()
        return Summary(
            company_key=self._company.company_key,
            file=self._options.file,
            dry_run=self._options.dry_run,
            completed=completed,
            rows=tally.rows,
            accepted=tally.accepted,
            refused=dict(tally.refused),
            duplicates=repeated.rows,
            first_duplicates=repeated.first,
            confirmed_row=self._state.state.confirmed_row,
            resumed_after_row=self._after_row,
            messages=self._messages,
            seconds=round(time.monotonic() - self._began, 3),
            report=str(report.path) if report and report.refusals else None,
            unmapped_columns=self._reading.unmapped,
            columns_to_map=self._options.columns.unmapped is Unmapped.REFUSE and bool(self._reading.unmapped),
            custom_fields=tuple(field_use(self._company, *each) for each in tally.custom_fields.items()),
            examples=tuple(map(Example.of, tally.examples)),
        )

    def _what_next(self) -> str:
        row = self._state.state.confirmed_row
        if self._source.path is None:
            return f"the broker has all rows up to row {row}; give the rows after it, or all rows, to another import"
        return f"the broker has all rows up to row {row}, and the same command carries on after it"


def _open_report(options: Options, source: Source, context: ExitStack) -> Report | None:
    """Open the report; a dry run has one only if asked for."""
    path = options.report
    if path is None and not options.dry_run:
        path = _beside(source.path, ".refused.csv") if source.path else _REPORT_OF_A_PIPE
    return context.enter_context(open_report(path)) if path else None


def _state_path(options: Options, source: Source) -> Path | None:
    if source.path is None or options.dry_run:
        return None
    return options.state or _beside(source.path, ".import-state.json")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")


def _new_state(options: Options, source: Source, company: Company) -> State:
    return State(
        input=source.identity or _NO_IDENTITY,
        options=options.fingerprint(company.company_key),
        started_at=datetime.now(UTC),
    )


def _forget(_refusal: Refusal) -> None:
    """Do without a report."""
