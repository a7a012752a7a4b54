"""The life of one service process."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from deploy.local.errors import ServiceError

_POLL_SECONDS = 0.02
_LOG_TAIL_CHARACTERS = 2000


def wait_until_ready(
    process: psutil.Popen, is_ready: Callable[[], bool], *, what: str, log: Path, timeout: float
) -> None:
    """Return as soon as ``is_ready`` says so.

    ServiceError with the log's end if the process ends or takes too long; it is not running then.
    """
    deadline = time.monotonic() + timeout
    while not is_ready():
        if process.poll() is not None:
            raise ServiceError(f"{what} ended with exit code {process.returncode} at its start: {log_tail(log)}")
        if time.monotonic() > deadline:
            kill_tree(process)
            raise ServiceError(f"{what} was not ready after {timeout:g} s: {log_tail(log)}")
        time.sleep(_POLL_SECONDS)


def wait_until_ended(process: psutil.Popen, *, what: str, log: Path, timeout: float) -> None:
    """Return when the process has ended; ServiceError with the log's end if that takes too long."""
    try:
        process.wait(timeout)
    except psutil.TimeoutExpired as error:
        raise ServiceError(f"{what} did not stop within {timeout:g} s: {log_tail(log)}") from error


def kill_tree(process: psutil.Popen) -> None:
    """End the process and its descendants with SIGKILL, as a crash would, and return when all are gone."""
    if process.poll() is not None:
        return
    family = [process, *process.children(recursive=True)]
    for member in family:
        try:
            member.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    while any(_alive(member) for member in family):
        time.sleep(_POLL_SECONDS)
    process.wait()


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)  # a descendant is reaped by init, in its own time
    except psutil.NoSuchProcess:
        return False


def log_tail(log: Path) -> str:
    """Return the last lines of a log file, with its path."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return f"(no log at {log})"
    return f"{text[-_LOG_TAIL_CHARACTERS:].strip()}\n(the end of {log})"
