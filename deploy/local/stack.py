"""The whole pipeline on this machine: services, simulator, ingest, apply and person-sync, each a real process."""

import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.error import URLError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

from rich.console import Console

from deploy.local.errors import ServiceError
from deploy.local.ports import lease_port
from deploy.local.processes import log_tail, wait_until_ended, wait_until_ready
from deploy.local.services import Services
from deploy.local.workspace import Workspace

if TYPE_CHECKING:
    import socket

_START_SECONDS = 30.0
_DRAIN_SECONDS = 40.0

VIBES_PIPELINE = (sys.executable, "-m", "cli")
"""The `vibes-pipeline` command of this environment."""


@dataclass(frozen=True, slots=True)
class DemoCompany:
    """A company that exists on the simulator and in the companies file."""

    company_key: str
    endpoint_key: str
    password: str
    crm_token: str


class Part:
    """One process of the pipeline, with an admin port."""

    def __init__(
        self,
        stack: "Stack",
        name: str,
        arguments: Sequence[str],
        ready_url: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._environment = environment or {}
        self._stack = stack
        self._arguments = arguments
        self._ready_url = ready_url
        self.log_file = stack.directory / f"{name}.log"
        self.start()

    def start(self) -> None:
        """Start the process and wait until it is ready. Raises ServiceError with the log's end."""
        environment = {**self._stack.environment, **self._environment}
        self.process = self._stack.workspace.spawn(
            [*VIBES_PIPELINE, *self._arguments], log=self.log_file, environment=environment
        )
        wait_until_ready(
            self.process, lambda: _answers(self._ready_url), what=self.name, log=self.log_file, timeout=_START_SECONDS
        )

    def stop(self) -> None:
        """Ask the process to drain, and wait until it has."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            wait_until_ended(self.process, what=self.name, log=self.log_file, timeout=_DRAIN_SECONDS)


PARTS = ("simulator", "ingest", "apply", "person-sync")
"""What a stack is made of; a number after a name (`apply-2`) makes it one more of these."""


class Stack:
    """Services and pipeline, up on entering; drained and gone on leaving.

    `parts` are started on entering, in this order; `start` starts more. `requests_per_second` is what the person
    workers aim at for each company. `settings` are environment variables for all parts. `services` are to be used in
    place of new ones, and are entered and left with the stack. `like` is a stack whose database is copied, which is
    quicker than to migrate one; nobody may be connected to it.
    """

    def __init__(
        self,
        companies: Sequence[str] = ("demo",),
        *,
        parts: Sequence[str] = PARTS,
        seed: int = 1,
        management: bool = False,
        requests_per_second: float = 80.0,
        settings: Mapping[str, str] | None = None,
        services: Services | None = None,
        like: "Stack | None" = None,
    ) -> None:
        self.companies = {
            key: DemoCompany(key, secrets.token_urlsafe(32), secrets.token_urlsafe(16), secrets.token_urlsafe(32))
            for key in companies
        }
        self._names = parts
        self._seed = seed
        self._requests_per_second = requests_per_second
        self._settings = settings or {}
        self._like = like
        self._services = services or Services(management=management)
        self.postgres = self._services.postgres
        self.rabbitmq = self._services.rabbitmq
        self.workspace = Workspace()
        self.directory = self.workspace.path
        self._leases: list[socket.socket] = []
        self.ingest_port, self.simulator_port = self._port(), self._port()
        self._admin_ports: dict[str, int] = {}
        self.environment: dict[str, str] = {}
        self.parts: dict[str, Part] = {}

    @property
    def simulator_url(self) -> str:
        """Base URL of the simulator."""
        return f"http://127.0.0.1:{self.simulator_port}"

    def callback_url(self, company_key: str) -> str:
        """Where the callbacks of a company go."""
        return f"http://127.0.0.1:{self.ingest_port}/callbacks/{self.companies[company_key].endpoint_key}"

    @property
    def crm_url(self) -> str:
        """Where changes of the CRM go, with the company's token."""
        return f"http://127.0.0.1:{self.ingest_port}/crm/persons"

    def metrics_url(self, part: str) -> str:
        """Where a part shows its metrics."""
        return f"http://127.0.0.1:{self._admin_ports[part]}/metrics"

    @property
    def database_url(self) -> str:
        """The pipeline's database."""
        return self.environment["DATABASE_URL"]

    @property
    def database_name(self) -> str:
        """Name of that database."""
        return unquote(urlsplit(self.database_url).path.removeprefix("/"))

    def __enter__(self) -> Self:
        try:
            self._services.__enter__()
            self._configure()
            if self._like is None:
                self.command("migrate")
            for name in self._names:
                self.start(name)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                for part in self.parts.values():
                    part.stop()
        finally:
            self.workspace.close()
            self._services.__exit__(kind, error, trace)
            for lease in self._leases:
                lease.close()

    def start(self, name: str, settings: Mapping[str, str] | None = None) -> Part:
        """Start one more part, with environment variables of its own, and wait until it is ready.

        Raises ServiceError with the log's end.
        """
        if name == "simulator":
            part = self._start_simulator(name)
        else:
            command = name.rstrip("-0123456789")
            port = self._admin_ports[name] = self._port()
            variable = f"VIBES_PIPELINE_{command.replace('-', '_').upper()}_ADMIN_PORT"
            ready = f"http://127.0.0.1:{port}/readyz"
            part = Part(self, name, (command,), ready, {**(settings or {}), variable: str(port)})
        self.parts[name] = part
        return part

    def command(self, *arguments: str, check: bool = True) -> str:
        """Run a `vibes-pipeline` command to its end and return what it printed.

        Raises ServiceError with its complaint when it fails, unless `check` is off.
        """
        result = subprocess.run(
            [*VIBES_PIPELINE, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and result.returncode != 0:
            raise ServiceError(f"vibes-pipeline {arguments[0]} failed ({result.returncode}): {result.stderr.strip()}")
        return result.stdout

    def _configure(self) -> None:
        companies_file = self.directory / "companies.toml"
        companies_file.write_text("\n".join(map(self._company_toml, self.companies.values())))
        (self.directory / "simulator.toml").write_text("\n".join(map(self._simulated_toml, self.companies.values())))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VIBES_PIPELINE_")},
            **{_password_variable(company): company.password for company in self.companies.values()},
            "DATABASE_URL": self._create_database(),
            "AMQP_URL": self.rabbitmq.amqp_url,
            "VIBES_PIPELINE_COMPANIES_FILE": str(companies_file),
            "VIBES_PIPELINE_QUEUE_PREFIX": f"vibes-{secrets.token_hex(4)}",
            "VIBES_PIPELINE_LOG_FORMAT": "json",
            "VIBES_PIPELINE_INGEST_HOST": "127.0.0.1",
            "VIBES_PIPELINE_INGEST_PORT": str(self.ingest_port),
            **self._settings,
        }

    def _create_database(self) -> str:
        template = self._like.database_name if self._like else "template1"
        return self.postgres.create_database(f"vibes_{secrets.token_hex(4)}", template)

    def _start_simulator(self, name: str) -> Part:
        simulate = ("simulate", "--config", "simulator.toml", "--port", str(self.simulator_port))
        ready = f"{self.simulator_url}/_simulator/companies"
        return Part(self, name, (*simulate, "--seed", str(self._seed)), ready)

    def _port(self) -> int:
        self._leases.append(lease_port())
        return int(self._leases[-1].getsockname()[1])

    def _company_toml(self, company: DemoCompany) -> str:
        return f"""[[companies]]
company_key = {json.dumps(company.company_key)}
region = "US"
default_country = "US"
extra_source_ranges = ["127.0.0.0/8"]
api_base_url = "{self.simulator_url}"
api_username = "{company.company_key}@example.com"
api_password_env = "{_password_variable(company)}"
api_requests_per_second = {self._requests_per_second}
endpoints = [{{ name = "main", key_sha256 = "{_sha256(company.endpoint_key)}" }}]
crm_tokens = [{{ name = "crm", token_sha256 = "{_sha256(company.crm_token)}" }}]
"""

    def _simulated_toml(self, company: DemoCompany) -> str:
        return f"""[[companies]]
company_key = {json.dumps(company.company_key)}
username = "{company.company_key}@example.com"
password = "{company.password}"
callback_url = "{self.callback_url(company.company_key)}"
"""


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _password_variable(company: DemoCompany) -> str:
    return f"VIBES_API_PASSWORD_{company.company_key.upper().replace('-', '_')}"


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as response:  # noqa: S310 - a loopback URL of ours
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def main() -> int:
    """`make up`: start everything, say where it is, stay up until Ctrl-C or SIGTERM, drain."""
    console = Console(highlight=False, soft_wrap=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        console.print("starting PostgreSQL, RabbitMQ, the simulator and the pipeline ...")
        with Stack(management=True) as stack:
            _introduce(console, stack)
            try:
                _watch(stack)
            except KeyboardInterrupt:
                console.print("draining ...")
    except KeyboardInterrupt:
        return 130
    return 0


def _introduce(console: Console, stack: Stack) -> None:
    rows = {
        "callback URL": stack.callback_url("demo"),
        "CRM URL": stack.crm_url,
        "CRM token": stack.companies["demo"].crm_token,
        "simulator": f"{stack.simulator_url}  (control: /_simulator/)",
        "RabbitMQ console": stack.rabbitmq.management_url or "of the broker AMQP_URL names",
        "AMQP_URL": stack.environment["AMQP_URL"],
        "DATABASE_URL": stack.database_url,
        "companies file": stack.environment["VIBES_PIPELINE_COMPANIES_FILE"],
        "queue prefix": stack.environment["VIBES_PIPELINE_QUEUE_PREFIX"],
        **{f"metrics of {name}": stack.metrics_url(name) for name in stack.parts if name != "simulator"},
        "logs": f"{stack.directory}/*.log",
    }
    for name, value in rows.items():
        console.print(f"{name:24}{value}", markup=False)
    console.print("\nCtrl-C drains and stops everything.")


def _watch(stack: Stack) -> None:
    """Return never; raises ServiceError when a part ends by itself."""
    while True:
        for part in stack.parts.values():
            if part.process.poll() is not None:
                raise ServiceError(f"{part.name} ended ({part.process.returncode}): {log_tail(part.log_file)}")
        time.sleep(0.5)
