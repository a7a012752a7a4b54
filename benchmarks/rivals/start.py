"""Start a rival as a process, and stop it."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from deploy.local.errors import ServiceError
from deploy.local.processes import log_tail, wait_until_ended, wait_until_ready
from deploy.local.workspace import Workspace

_START_SECONDS = 30.0
_DRAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Rival:
    """One that runs."""

    name: str
    process: psutil.Popen
    port: int
    log_file: Path

    @property
    def url(self) -> str:
        """Where its callbacks go; the last part is the company."""
        return f"http://127.0.0.1:{self.port}/callbacks/bench"

    def check(self) -> None:
        """Raise ServiceError with the log's end when it is not running any more."""
        if self.process.poll() is not None:
            raise ServiceError(f"{self.name} ended ({self.process.returncode}): {log_tail(self.log_file)}")

    def stop(self) -> None:
        """Ask it to end, and wait until it has. Raises ServiceError when that takes too long."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            wait_until_ended(self.process, what=self.name, log=self.log_file, timeout=_DRAIN_SECONDS)


def start(workspace: Workspace, name: str, environment: Mapping[str, str], *arguments: str) -> Rival:
    """Start `benchmarks.rivals.NAME` and wait until it is ready.

    `environment` holds RIVAL_QUEUE, AMQP_URL and DATABASE_URL, as far as the rival needs them; that of this process is
    passed on too. Raises ServiceError with the log's end when the rival does not get ready.
    """
    port = workspace.port()
    log_file = workspace.path / f"{name}-{port}.log"
    process = workspace.spawn(
        [sys.executable, "-m", f"benchmarks.rivals.{name}", "--port", str(port), *arguments],
        log=log_file,
        environment={**os.environ, **environment},
    )
    ready = f"http://127.0.0.1:{port}/readyz"
    wait_until_ready(process, lambda: _answers(ready), what=name, log=log_file, timeout=_START_SECONDS)
    return Rival(name, process, port, log_file)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as response:  # noqa: S310 - a loopback URL of ours
            return bool(response.status == 200)
    except (URLError, OSError):
        return False
