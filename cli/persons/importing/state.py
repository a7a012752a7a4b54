"""How far an import is, kept beside the input, so that the same command carries on."""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from cli.persons.importing.source import Identity
from schemas.errors import ConfigurationError, ServiceError
from schemas.values import read_timestamp

_VERSION = 1
_SAVE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class State:
    """How far one import of one file is."""

    input: Identity
    options: Mapping[str, str]
    """Options that decide what is sent, by name."""
    started_at: datetime
    """When the import began, not when it was carried on; UTC."""
    confirmed_row: int = 0
    """The broker has this row and all before it."""
    finished_at: datetime | None = None
    rows: int = 0
    accepted: int = 0
    """Of a finished import."""


def carry_on(found: State | None, new: State, where: Path, *, restart: bool) -> State:
    """Return the state to begin with: the one found, or a new one. Pure.

    A finished import of a file that has changed since is over: the file is a new one. One the broker has nothing of is
    as good as not begun. Raises ConfigurationError with what to do when the file is finished, or is no longer what was
    begun.
    """
    if found is None or restart:
        return new
    same = found.input == new.input
    if found.finished_at is not None:
        if not same:
            return new
        raise ConfigurationError(
            f"this file was imported completely at {found.finished_at:%F %T} UTC ({found.rows} rows, "
            f"{found.rows - found.accepted} refused; {where} says so): --restart imports it again"
        )
    differ = _differing(found.options, new.options)
    if not found.confirmed_row and (differ or not same):
        return new
    begun = f"an import of it was begun at {found.started_at:%F %T} UTC and stopped after row {found.confirmed_row}"
    if not same:
        raise ConfigurationError(
            f"the file has changed since {begun} ({where}): put the old one back to carry on, or --restart begins anew"
        )
    if differ:
        raise ConfigurationError(
            f"{begun} with other options ({', '.join(differ)}; {where}): give the same ones to carry on, or --restart "
            "begins anew"
        )
    return found


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]


class StateFile:
    """Keeps the state of an import in a file, replaced as a whole: after a crash it is an old one or a new one.

    Without a path it is kept in memory only.
    """

    def __init__(self, path: Path | None, state: State, *, restart: bool) -> None:
        """Begin, or carry on. Raises ConfigurationError when that is refused or the file cannot be used."""
        self._path = path
        self._saved_at = 0.0
        self.state = carry_on(_load(path), state, path, restart=restart) if path else state
        try:
            self._save()
        except OSError as error:
            raise ConfigurationError(
                f"{path}: cannot be written ({error.strerror}); --state names another place for how far it is"
            ) from error

    def confirm(self, row: int) -> None:
        """Note that the broker has all rows up to that one. Raises ServiceError when it cannot be saved."""
        self._change(replace(self.state, confirmed_row=max(self.state.confirmed_row, row)))

    def finish(self, rows: int, accepted: int, now: datetime) -> None:
        """Note that the import is complete. Raises ServiceError."""
        self._change(replace(self.state, rows=rows, accepted=accepted, finished_at=now), at_once=True)

    def flush(self) -> None:
        """Save what is known. Raises ServiceError."""
        self._change(self.state, at_once=True)

    def _change(self, state: State, *, at_once: bool = False) -> None:
        self.state = state
        if at_once or time.monotonic() - self._saved_at >= _SAVE_SECONDS:
            try:
                self._save()
            except OSError as error:
                raise ServiceError(f"{self._path}: cannot be written ({error.strerror})") from error

    def _save(self) -> None:
        if self._path is None:
            return
        fresh = self._path.with_name(f"{self._path.name}.new")
        with fresh.open("wb") as file:
            file.write(orjson.dumps({"version": _VERSION, **asdict(self.state)}, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        self._saved_at = time.monotonic()


def _load(path: Path) -> State | None:
    try:
        return _read(orjson.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror}); --state names another place for how far it is"
        ) from error
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{path}: is no state of an import; delete it to begin anew, or name another place with --state"
        ) from error


def _read(content: Any) -> State:
    if content["version"] != _VERSION:
        raise ValueError("another release's")
    return State(
        input=Identity(**content["input"]),
        options=dict(content["options"]),
        started_at=_moment(content["started_at"]),
        confirmed_row=int(content["confirmed_row"]),
        finished_at=content["finished_at"] and _moment(content["finished_at"]),
        rows=int(content["rows"]),
        accepted=int(content["accepted"]),
    )


def _moment(text: str) -> datetime:
    moment = read_timestamp(text)
    if moment is None:
        raise ValueError("not a time")
    return moment
