"""The report: a CSV file of the rows that were refused. It is for whoever mends the file, so it has their ids."""

import csv
import fcntl
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.persons.importing.judging import Refusal
from schemas.errors import ConfigurationError, ServiceError

HEADER = ("row", "line", "external_person_id", "reason", "detail")
_FIRST_LINE = ",".join(HEADER).encode()


class Report:
    """An opened report. `begin` empties it; until then a report of before is left as it is."""

    def __init__(self, path: Path, file: io.TextIOWrapper) -> None:
        self.path = path
        self.refusals = 0
        self._file = file
        self._begun = False

    def begin(self) -> None:
        """Begin anew: the rows of the whole file are reported at each run."""
        self._begun = True
        with _told(self.path):
            self._file.seek(0)
            self._file.truncate()
            self._write(HEADER)
            self._file.flush()

    def add(self, refusal: Refusal) -> None:
        """Report a row. Raises ServiceError."""
        self.refusals += 1
        with _told(self.path):
            self._write((refusal.row, refusal.line, refusal.external_person_id, refusal.reason, refusal.detail))

    def _write(self, cells: tuple[object, ...]) -> None:
        csv.writer(self._file).writerow(cells)

    def close(self) -> None:
        """Close the report; one that has no row goes, so that a report says that something was refused."""
        with _told(self.path):
            empty = os.fstat(self._file.fileno()).st_size == 0 and not self._begun
            if empty or (self._begun and not self.refusals):
                self.path.unlink(missing_ok=True)
            self._file.close()


@contextmanager
def open_report(path: Path) -> Iterator[Report]:
    """Open a report for writing, for this import alone.

    Raises ConfigurationError when it cannot be written or is another kind of file, ServiceError when another import is
    writing it.
    """
    try:
        # Ids of persons are personal data.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the report of refused rows cannot be written ({error.strerror}); --report names another place"
        ) from error
    try:
        _check(path, descriptor)
    except (ConfigurationError, ServiceError):
        os.close(descriptor)
        raise
    report = Report(path, open(descriptor, "r+", encoding="utf-8", newline=""))  # noqa: PTH123, SIM115 - a descriptor has no path; closed below
    try:
        yield report
    finally:
        report.close()


def _check(path: Path, descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise ConfigurationError(f"{path}: no regular file; --report names where the refused rows are written")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ServiceError(f"{path}: another import is writing it; wait for its end") from None
    if os.pread(descriptor, len(_FIRST_LINE), 0) not in (b"", _FIRST_LINE):
        raise ConfigurationError(f"{path}: exists and is no report of refused rows; --report names another place")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceError(f"{path}: the report of refused rows cannot be written ({error.strerror})") from error
