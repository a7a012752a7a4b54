"""Users that may do no more than one process has to, on services of a test's own."""

import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from deploy.local import rabbitmq as local_rabbitmq
from deploy.local.postgres import LocalPostgres
from deploy.local.rabbitmq import LocalRabbitMQ
from deploy.local.stack import Stack

ROOT = Path(__file__).parents[2]
USERS_SCRIPT = ROOT / "deploy" / "rabbitmq" / "users.sh"
POLICY_SCRIPT = ROOT / "deploy" / "rabbitmq" / "policy.sh"
ROLES_SCRIPT = ROOT / "deploy" / "postgres" / "roles.sql"

PARTS = {"ingest": None, "apply": "vibes_worker", "person-sync": "vibes_worker"}
"""And the role each one's database login is a member of."""
PEOPLE = {"operator": "vibes_operator", "analyst": "vibes_analyst"}


@dataclass(frozen=True, slots=True)
class Login:
    """A user of a service, and its password."""

    user: str
    password: str

    def at(self, url: str, path: str | None = None) -> str:
        """Return a URL with this user in the place of whoever it names, and another path if one is given."""
        parts = urlsplit(url)
        address = f"{parts.hostname}:{parts.port}"
        target = parts._replace(netloc=f"{self.user}:{quote(self.password, safe='')}@{address}")
        return (target if path is None else target._replace(path=path)).geturl()


def make_broker_users(broker: LocalRabbitMQ, directory: Path, prefix: str) -> dict[str, Login]:
    """Run deploy/rabbitmq/users.sh; return the logins by what they are for."""
    run_script(broker, [USERS_SCRIPT, directory], prefix)
    return {path.name.removeprefix(f"{prefix}-"): Login(path.name, path.read_text()) for path in directory.iterdir()}


def run_script(broker: LocalRabbitMQ, command: Sequence[Path], prefix: str) -> None:
    """Run a script of deploy/rabbitmq where rabbitmqctl works; it has nothing to say."""
    environment = {**broker._environment, "PREFIX": prefix}
    environment["PATH"] = f"{local_rabbitmq._scripts()}:{environment['PATH']}"
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""


def make_login(server: LocalPostgres, login: Login, role: str) -> Login:
    """Make a database login that is a member of a role, and of nothing else."""
    server.execute(f"CREATE ROLE {login.user} LOGIN PASSWORD '{login.password}' IN ROLE {role}")
    return login


@dataclass
class Confined:
    """A stack whose processes have users of their own."""

    stack: Stack
    broker: dict[str, Login]
    database: dict[str, Login]
    passwords: Path
    """Directory with those of the broker's users."""

    @property
    def secrets(self) -> set[str]:
        companies = self.stack.companies.values()
        return {
            *(login.password for login in (*self.broker.values(), *self.database.values())),
            *(company.password for company in companies),
            *(company.endpoint_key for company in companies),
            *(company.crm_token for company in companies),
        }


@contextmanager
def confined_stack(companies: tuple[str, ...], passwords: Path) -> Iterator[Confined]:
    """Run the pipeline and the simulator, each process as a user of the least rights; commands run as an operator.

    The broker users' passwords are written into the directory `passwords`, which is there and empty.
    """
    with Stack(companies, parts=("simulator",)) as stack:
        postgres, rabbitmq = stack.postgres, stack.rabbitmq
        if not (isinstance(postgres, LocalPostgres) and isinstance(rabbitmq, LocalRabbitMQ)):
            pytest.skip("DATABASE_URL or AMQP_URL is set: users are not made on services that are not ours")
        prefix = stack.environment["VIBES_PIPELINE_QUEUE_PREFIX"]
        broker = make_broker_users(rabbitmq, passwords, prefix)
        run_script(rabbitmq, [POLICY_SCRIPT], prefix)
        database = {
            name: make_login(postgres, Login(f"login_{secrets.token_hex(4)}", secrets.token_urlsafe(16)), role)
            for name, role in {**PARTS, **PEOPLE}.items()
            if role is not None
        }
        amqp_url, database_url = stack.environment["AMQP_URL"], stack.database_url

        stack.environment["AMQP_URL"] = broker["declare"].at(amqp_url)
        assert "every exchange and queue" in stack.command("declare")
        for part, role in PARTS.items():
            # ingest gets an address where nothing is: it does not use the database.
            url = database[part].at(database_url) if role else "postgresql://127.0.0.1:9/nowhere"
            stack.start(part, {"AMQP_URL": broker[part].at(amqp_url), "DATABASE_URL": url})
        stack.environment["AMQP_URL"] = broker["operator"].at(amqp_url)
        stack.environment["DATABASE_URL"] = database["operator"].at(database_url)
        yield Confined(stack, broker, database, passwords)
