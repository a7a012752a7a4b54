"""Ends whatever the owner of a workspace left running, in whatever way the owner itself ended.

Run as ``python guard.py MARK DIRECTORY``. It waits until its standard input ends, which happens when the owner
closes the workspace and equally when the owner is killed: the kernel closes the other end of the pipe. Then it
ends every process that carries the mark in its environment and removes the directory (none, if it is empty).

The environment is inherited by every descendant, so daemons that detach themselves (Erlang's epmd) are found too.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator

import psutil

MARK_VARIABLE = "VP_WORKSPACE"

_GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.02


def marked(mark: str) -> Iterator[psutil.Process]:
    """Find the living processes of the workspace with this mark."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK_VARIABLE) == mark:
                yield process
        except psutil.Error:  # gone meanwhile, a zombie, or somebody else's: not ours to end
            continue


def end_all(mark: str) -> None:
    """End every process with this mark and return when none is left."""
    # SIGQUIT makes PostgreSQL end its backends and free its shared memory, which SIGKILL would leave behind.
    deadline = time.monotonic() + _GRACE_SECONDS
    _signal_all(mark, signal.SIGQUIT)
    while any(marked(mark)):
        if time.monotonic() > deadline:
            _signal_all(mark, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def clean_up(mark: str, directory: str) -> None:
    """End every process with this mark, then remove the directory unless its name is empty."""
    end_all(mark)
    if directory:
        shutil.rmtree(directory, ignore_errors=True)


def _signal_all(mark: str, number: signal.Signals) -> None:
    for process in marked(mark):
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def main() -> None:
    """Wait for the owner's end, then clean up."""
    mark, directory = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever stops everything at once must not stop the cleaning up
    while os.read(sys.stdin.fileno(), 1):
        pass
    clean_up(mark, directory)


if __name__ == "__main__":
    main()
