"""A directory with the processes that work in it, neither of which can outlive its owner."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psutil

from deploy.local import guard
from deploy.local.errors import ServiceError
from deploy.local.ports import lease_port

if TYPE_CHECKING:
    import socket


class Workspace:
    """A private directory for services, and the only place from which they are started.

    With a ``directory`` (new or empty) its contents are kept at the end; without one a temporary directory is made, in
    ``parent`` or where the system has such, and removed. Closing it ends every process started from it; so does the end
    of the owning process, even by SIGKILL, because a guard process watches over it.
    """

    def __init__(self, directory: Path | None = None, *, parent: Path | None = None) -> None:
        self.temporary = directory is None
        if directory is None:
            self.path = Path(tempfile.mkdtemp(prefix="vp-", dir=parent))
        else:
            self.path = directory.resolve()
            self.path.mkdir(parents=True, exist_ok=True)
            if any(self.path.iterdir()):
                raise ServiceError(f"{self.path} is not empty: name a new or an empty directory")
        self.path.chmod(0o711)  # PostgreSQL may have to run as another user, whose directory is in here
        self._mark = secrets.token_hex(16)
        self._doomed = str(self.path) if self.temporary else ""
        self._processes: list[psutil.Popen] = []
        self._leases: list[socket.socket] = []
        guards_end, our_end = os.pipe()
        self._leash = os.fdopen(our_end, "wb")
        self._guard = subprocess.Popen(
            [sys.executable, "-P", guard.__file__, self._mark, self._doomed],
            stdin=guards_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        os.close(guards_end)
        # A forked child (multiprocessing) must not hold the pipe open after its parent's death.
        os.register_at_fork(after_in_child=self._leash.close)

    def port(self) -> int:
        """Take a free loopback TCP port, which no other workspace on this machine gets until this one is closed."""
        lease = lease_port()
        self._leases.append(lease)
        return int(lease.getsockname()[1])

    def spawn(
        self, command: Sequence[str | Path], *, log: Path, environment: Mapping[str, str], user: int | None = None
    ) -> psutil.Popen:
        """Start a process in a session of its own (so that Ctrl-C is for its owner alone), its output added to ``log``.

        ``user`` is the numeric user and group to run as; only root may name one.
        """
        with log.open("ab") as output:
            process = psutil.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._marked(environment),
                cwd=log.parent,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        self._processes.append(process)
        return process

    def run(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        user: int | None = None,
        timeout: float = 60.0,
    ) -> str:
        """Run a command to its end and return what it printed; ServiceError with its complaint if it failed."""
        result = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=self._marked(environment),
            cwd=self.path,
            timeout=timeout,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        if result.returncode != 0:
            raise ServiceError(
                f"{Path(command[0]).name} failed with exit code {result.returncode}: {result.stderr.strip()}"
            )
        return result.stdout

    def close(self) -> None:
        """End all processes and, if temporary, remove the directory. Closing twice is harmless."""
        self._leash.close()
        if self._guard.wait() != 0:  # somebody killed the guard: do its work here
            guard.clean_up(self._mark, self._doomed)
        for process in self._processes:
            process.wait()
        for lease in self._leases:
            lease.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _marked(self, environment: Mapping[str, str]) -> dict[str, str]:
        return {**environment, guard.MARK_VARIABLE: self._mark}
