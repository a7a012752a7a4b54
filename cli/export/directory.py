"""The directory an export lives in.

    DIRECTORY/_export.json                      what it is, and as of when
    DIRECTORY/<dataset>/day=2024-03-01/<dataset>.parquet
    DIRECTORY/<dataset>/<dataset>.parquet       if its rows are about no day at all
    DIRECTORY/_unfinished/<dataset>/...         what a run has written but not yet published

A run writes everything beside the published files and then puts it in their place at once, by renaming. Whether a file
is whole, and what it was written from, its own footer tells: there are no notes that could disagree with the files.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import orjson

from cli.export.datasets import DATASETS
from cli.export.days import Day, day_directory, read_day_directory
from cli.export.parquet import read_fingerprint
from cli.export.planning import Fingerprint, Plan
from schemas.errors import ConfigurationError, ServiceError

_MARKER = "_export.json"
_UNFINISHED = "_unfinished"
_LOCK = "lock"
_FORMAT = 1

Identity = Mapping[str, Any]
"""What an export is of: two that are not of the same do not go into one directory."""


class ExportDirectory:
    """An export directory, and nobody else's while it is open: use it with `with`.

    Opening raises ConfigurationError if the directory cannot be one; all else raises ServiceError if the disk fails.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unfinished = path / _UNFINISHED

    def __enter__(self) -> Self:
        """Make the directory if it is missing, and keep others out."""
        marker = self.path / _MARKER
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not marker.exists() and any(each.name != _UNFINISHED for each in self.path.iterdir()):
                raise ConfigurationError(
                    f"{self.path}: is not empty, and holds no export; name a directory that is empty or not there yet"
                )
            self._unfinished.mkdir(exist_ok=True)
            self._lock = os.open(self._unfinished / _LOCK, os.O_CREAT | os.O_RDWR)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (FileExistsError, NotADirectoryError) as error:
            raise ConfigurationError(f"{self.path}: is no directory; name one") from error
        except BlockingIOError as error:
            os.close(self._lock)
            raise ConfigurationError(f"{self.path}: another export is writing there; wait for it to end") from error
        except OSError as error:
            raise ConfigurationError(
                f"{self.path}: cannot be written to ({error.strerror}); name a directory in which this user may write"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Let others in."""
        os.close(self._lock)

    def claim(self, identity: Identity) -> dict[str, Any]:
        """Return what is noted about the export. Raises ConfigurationError if it is one of something else."""
        noted = self._read_marker()
        if not noted:
            self.note({"format": _FORMAT, "of": dict(identity), "complete": False, "datasets": {}})
            return self._read_marker()
        for name, value in identity.items():
            if noted["of"].get(name) != value:
                raise ConfigurationError(
                    f"{self.path}: holds an export of something else ({name}: {noted['of'].get(name)}; now: {value}); "
                    "name another directory"
                )
        return noted

    def note(self, noted: Mapping[str, Any]) -> None:
        """Write down what is to be known about the export as a whole."""
        with disk_errors(self.path):
            beside = self._unfinished / _MARKER
            with beside.open("wb") as file:
                file.write(orjson.dumps(noted, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path / _MARKER)

    def published(self, dataset: str) -> dict[Day, Fingerprint | None]:
        """Return the days of a dataset, and what they were written from (None: the file cannot be read)."""
        return self._days(self.path / dataset)

    def unfinished(self, dataset: str) -> dict[Day, Fingerprint | None]:
        """Return the days of a dataset that wait to be published, likewise."""
        return self._days(self._unfinished / dataset)

    def unfinished_file(self, dataset: str, day: Day) -> Path:
        """Return where a day is to be written."""
        return _file(self._unfinished, dataset, day)

    def publish(self, plans: Iterable[Plan]) -> None:
        """Put what was written in the place of what was there, and take away what is no longer."""
        with disk_errors(self.path):
            for plan in plans:
                for day in (*plan.ready, *plan.write):
                    place = _file(self.path, plan.dataset, day)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    self.unfinished_file(plan.dataset, day).replace(place)
                for day in plan.remove:
                    place = _file(self.path, plan.dataset, day)
                    place.unlink()
                    _remove_if_empty(place.parent)
            for leftover in self._unfinished.iterdir():
                if leftover.is_dir():
                    shutil.rmtree(leftover)

    def size(self, dataset: str) -> tuple[int, int]:
        """Return how many files a dataset has, and their bytes."""
        with disk_errors(self.path):
            sizes = [each.stat().st_size for each in (self.path / dataset).glob(f"**/{dataset}.parquet")]
        return len(sizes), sum(sizes)

    def _days(self, of_dataset: Path) -> dict[Day, Fingerprint | None]:
        found: dict[Day, Fingerprint | None] = {}
        with disk_errors(self.path):
            for file in of_dataset.glob(f"**/{of_dataset.name}.parquet"):
                with suppress(ValueError):  # what is in a directory that is none of ours is left alone
                    day = None if file.parent == of_dataset else read_day_directory(file.parent.name)
                    if file == _file(of_dataset.parent, of_dataset.name, day):
                        found[day] = read_fingerprint(file)
        return found

    def _read_marker(self) -> dict[str, Any]:
        marker = self.path / _MARKER
        with disk_errors(self.path):
            if not marker.exists():
                return {}
            text = marker.read_bytes()
        try:
            noted: dict[str, Any] = orjson.loads(text)
            if noted["format"] == _FORMAT and isinstance(noted["of"], dict) and isinstance(noted["datasets"], dict):
                return noted
        except (orjson.JSONDecodeError, KeyError, TypeError):
            pass
        raise ConfigurationError(f"{marker}: was not written by this release of the export; name another directory")


def _file(root: Path, dataset: str, day: Day) -> Path:
    of_dataset = root / dataset
    divided = DATASETS[dataset].day_column is not None
    return (of_dataset / day_directory(day) if divided else of_dataset) / f"{dataset}.parquet"


def _remove_if_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:  # somebody keeps something of theirs there
            raise


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn errors of the disk into a ServiceError that says what to do."""
    try:
        yield
    except OSError as error:
        raise ServiceError(
            f"{path}: the disk refuses ({error.strerror or error}). What was exported before is as it was; when there "
            "is room again, run the same command again: it carries on"
        ) from error
