"""Users that may do no more than one process has to, on services of a test's own."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from deploy.local import rabbitmq as local_rabbitmq
from deploy.local.postgres import LocalPostgres
from deploy.local.rabbitmq import LocalRabbitMQ

ROOT = Path(__file__).parents[2]
USERS_SCRIPT = ROOT / "deploy" / "rabbitmq" / "users.sh"
ROLES_SCRIPT = ROOT / "deploy" / "postgres" / "roles.sql"


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
    environment = {**broker._environment, "PREFIX": prefix}
    environment["PATH"] = f"{local_rabbitmq._scripts()}:{environment['PATH']}"
    result = subprocess.run(
        [USERS_SCRIPT, directory],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    return {path.name.removeprefix(f"{prefix}-"): Login(path.name, path.read_text()) for path in directory.iterdir()}


def make_login(server: LocalPostgres, login: Login, role: str) -> Login:
    """Make a database login that is a member of a role, and of nothing else."""
    server.execute(f"CREATE ROLE {login.user} LOGIN PASSWORD '{login.password}' IN ROLE {role}")
    return login
