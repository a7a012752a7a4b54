"""`vibes-pipeline` commands that speak to Vibes, run as processes against a simulator that is one too."""

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from deploy.local.processes import wait_until_ready
from deploy.local.workspace import Workspace
from tests.support.commands import vibes_pipeline

_COMPANIES = 60


@dataclass(frozen=True, slots=True)
class Tenant:
    """A company of the simulator that no other test uses, and the commands run for it."""

    company_key: str
    directory: Path
    simulator_url: str
    environment: dict[str, str] = field(repr=False)

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*vibes_pipeline(), *arguments],
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *arguments: str, exit_code: int = 0, **environment: str) -> Any:
        """Run a command with --json; return what it printed."""
        result = self.run(*arguments, "--json", **environment)
        assert result.returncode == exit_code, result.stderr + result.stdout
        return json.loads(result.stdout)

    def companies_toml(self, **changes: str) -> str:
        settings = {
            "company_key": self.company_key,
            "region": "US",
            "api_base_url": self.simulator_url,
            "api_username": f"{self.company_key}@example.com",
            "api_password_env": "TRIAL_PASSWORD",
            **changes,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        endpoints = f'endpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]'
        return "\n".join(["[[companies]]", *lines, endpoints, ""])

    def write_companies(self, *tables: str) -> None:
        (self.directory / "companies.toml").write_text("\n".join(tables))

    def file(self, text: str) -> str:
        """Write a file for `callbacks sync`; return its path."""
        path = self.directory / "registrations.toml"
        path.write_text(text)
        return str(path)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the simulator's control API."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.simulator_url}/_simulator/{path}", data, method=method)  # noqa: S310 - a loopback URL
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            return json.loads(answer.read())


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator whose companies are handed out one by one."""

    url: str
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def tenant(self, directory: Path) -> Tenant:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("VIBES_PIPELINE_")}
        environment = {
            **clean,
            "VIBES_PIPELINE_COMPANIES_FILE": str(directory / "companies.toml"),
            "TRIAL_PASSWORD": "secret",
        }
        tenant = Tenant(f"company{next(self.numbers)}", directory, self.url, environment)
        tenant.write_companies(tenant.companies_toml())
        return tenant


@contextmanager
def simulator() -> Iterator[Simulator]:
    """Run `vibes-pipeline simulate`."""
    with Workspace() as workspace:
        config = workspace.path / "simulator.toml"
        config.write_text(
            "\n".join(
                f'[[companies]]\ncompany_key = "company{number}"\nusername = "company{number}@example.com"\n'
                'password = "secret"'
                for number in range(_COMPANIES)
            )
        )
        port = workspace.port()
        log = workspace.path / "simulator.log"
        process = workspace.spawn(
            [sys.executable, "-m", "cli", "simulate", "--config", str(config), "--port", str(port)],
            log=log,
            environment={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(process, lambda: _answers(f"{url}/_simulator/runs"), what="simulator", log=log, timeout=30)
        yield Simulator(url)


class Endpoint:
    """An HTTP server to register: it takes callbacks below /callbacks/ and has some wrong turns beside it."""

    _ANSWERS = (("/callbacks/", 403), ("/moved/", 301), ("/ill/", 503))

    def __init__(self) -> None:
        self.posted: list[bytes] = []
        self.arrived = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(next((status for path, status in endpoint._ANSWERS if self.path.startswith(path)), 404))

            def do_POST(self) -> None:
                endpoint.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(202)
                endpoint.arrived.set()

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["Endpoint"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as response:  # noqa: S310 - a loopback URL of ours
            return bool(response.status == 200)
    except HTTPError as error:
        error.close()
        return False
    except OSError:
        return False
