"""The pipeline's parts as real processes that can be stopped, killed, replaced and looked into."""

import signal
import sys
from collections.abc import Mapping
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from deploy.local.ports import is_free
from deploy.local.processes import kill_tree, wait_until_ended, wait_until_ready
from deploy.local.workspace import Workspace

NAMES = ("ingest", "apply", "person-sync")
_START_SECONDS = 60.0
_DRAIN_SECONDS = 45.0
_ADMIN_PORTS = 8
"""For each part, so that `--processes` has ports to count up to."""


class ChaosPart:
    """One part (`name`), run by `python -m module name`; with several processes, a supervisor and its children.

    All methods block: call them in a thread.
    """

    def __init__(
        self,
        workspace: Workspace,
        name: str,
        environment: Mapping[str, str],
        *,
        processes: int = 1,
        module: str = "cli",
        label: str | None = None,
    ) -> None:
        self.name = name
        self.processes = processes
        self._workspace = workspace
        self.module = module
        self.log_file = workspace.path / f"{label or name}.log"
        self.admin_port = _free_ports(workspace)
        variable = f"VIBES_PIPELINE_{name.replace('-', '_').upper()}_ADMIN_PORT"
        self._environment = {**environment, variable: str(self.admin_port)}
        self._process: psutil.Popen | None = None

    def start(self, *, wait: bool = True) -> None:
        """Start it and, unless told otherwise, wait until every process of it is ready.

        Raises ServiceError with the log's end.
        """
        command = [sys.executable, "-m", self.module, self.name]
        if self.processes > 1:
            command += ["--processes", str(self.processes)]
        self._process = self._workspace.spawn(command, log=self.log_file, environment=self._environment)
        if wait:
            wait_until_ready(self._process, self.is_ready, what=self.name, log=self.log_file, timeout=_START_SECONDS)

    @property
    def running(self) -> bool:
        """Whether its first process is alive."""
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        """Tell whether each of its processes says that it can work."""
        return all(_answers(f"http://127.0.0.1:{self.admin_port + n}/readyz") for n in range(self.processes))

    def metrics(self) -> str:
        """Return the metrics of its first process. Raises OSError when it does not answer."""
        with urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=5) as response:
            return str(response.read().decode())

    def pids(self) -> list[int]:
        """Return the process ids that are alive, the first process's first."""
        if self._process is None or not self.running:
            return []
        try:
            return [self._process.pid, *(child.pid for child in self._process.children(recursive=True))]
        except psutil.NoSuchProcess:
            return []

    def rss(self) -> int:
        """Return the resident bytes of its largest process."""
        largest = 0
        for pid in self.pids():
            try:
                largest = max(largest, psutil.Process(pid).memory_info().rss)
            except psutil.NoSuchProcess:  # ended meanwhile
                continue
        return largest

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes, or for SIGTERM to the first alone, as an orchestrator would."""
        for pid in self.pids()[: 1 if number is signal.SIGTERM else None]:
            psutil.Process(pid).send_signal(number)

    def stop(self) -> None:
        """Ask it to drain, and wait until it has ended. ServiceError if that takes too long."""
        if self._process is not None and self.running:
            self.send(signal.SIGTERM)
            wait_until_ended(self._process, what=self.name, log=self.log_file, timeout=_DRAIN_SECONDS)

    def kill(self) -> None:
        """End all its processes with SIGKILL, and wait until they are gone."""
        if self._process is not None:
            kill_tree(self._process)


def _free_ports(workspace: Workspace) -> int:
    """Return the first of a few ports in a row that nobody listens on; only the first is leased."""
    while True:
        port = workspace.port()
        if all(is_free(port + n) for n in range(1, _ADMIN_PORTS)):
            return port


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as response:  # noqa: S310 - a loopback URL of ours
            return bool(response.status == 200)
    except (URLError, OSError):
        return False
