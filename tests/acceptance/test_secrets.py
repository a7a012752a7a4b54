"""Passwords are read from the environment or from files, and told to nobody, least of all when something is wrong."""

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.commands import vibes_pipeline

SECRET = "hunter2horse"


def run(*arguments: str, **environment: object) -> tuple[int, str]:
    """Run a command; return its exit code, and all it said."""
    result = subprocess.run(
        [*vibes_pipeline(), *arguments],
        env={
            **{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "AMQP_URL")},
            **{name: str(value) for name, value in environment.items()},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


def with_wrong_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{SECRET}@{parts.hostname}:{parts.port}").geturl()


def test_the_urls_may_be_in_files(tmp_path: Path, database_url: str, amqp_url: str) -> None:
    database, broker = tmp_path / "database", tmp_path / "broker"
    database.write_text(f"{database_url}\n")
    broker.write_text(f"{amqp_url}\n")
    assert run("migrate", DATABASE_URL_FILE=database)[0] == 0
    assert run("declare", AMQP_URL_FILE=broker)[0] == 0
    assert run("status", DATABASE_URL_FILE=database, AMQP_URL_FILE=broker)[0] == 0


def test_a_wrong_password_is_not_repeated(database_url: str, amqp_url: str) -> None:
    for command, variable, url in (("migrate", "DATABASE_URL", database_url), ("declare", "AMQP_URL", amqp_url)):
        code, said = run(command, **{variable: with_wrong_password(url)})
        assert (code, said.count("\n")) == (1, 1), said
        assert variable in said
        assert SECRET not in said


@pytest.mark.parametrize("host", ["127.0.0.1:9", "nowhere.invalid"])
def test_neither_is_that_of_a_service_that_is_away(host: str) -> None:
    for command, variable, scheme in (("migrate", "DATABASE_URL", "postgresql"), ("declare", "AMQP_URL", "amqp")):
        code, said = run(command, **{variable: f"{scheme}://u:{SECRET}@{host}/vibes"})
        assert (code, said.count("\n")) == (1, 1), said
        assert SECRET not in said


@pytest.mark.parametrize("broken", [f"{SECRET}/2@db/v", f"1?{SECRET}@db/v", f"1#{SECRET}@db/v", f"{SECRET}@db:x/v"])
def test_nor_one_that_breaks_its_url(broken: str) -> None:
    for command, variable, scheme in (("migrate", "DATABASE_URL", "postgresql"), ("declare", "AMQP_URL", "amqp")):
        code, said = run(command, **{variable: f"{scheme}://u:{broken}"})
        assert (code, said.count("\n")) == (2, 1), said
        assert said.startswith(f"vibes-pipeline: {variable}: ")
        assert SECRET not in said
