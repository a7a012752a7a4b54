"""What a command says when it cannot do its work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PARTS = ("ingest", "apply", "person-sync")


def vibes_pipeline(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VIBES_PIPELINE_")}
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env={**clean, "DATABASE_URL": "postgresql://127.0.0.1:1/x", "AMQP_URL": "amqp://127.0.0.1:1/", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def companies_file(tmp_path: Path) -> str:
    path = tmp_path / "companies.toml"
    path.write_text(
        f'[[companies]]\ncompany_key = "acme"\nregion = "US"\n'
        f'endpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]\n'
    )
    return str(path)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_refuses_to_start_with_a_wrong_setting_and_names_it(part: str) -> None:
    result = vibes_pipeline(part, VIBES_PIPELINE_INGEST_PORT="eighty")
    assert result.returncode == 2
    assert "VIBES_PIPELINE_INGEST_PORT: Input should be a valid integer" in result.stderr
    assert "Example: VIBES_PIPELINE_INGEST_PORT=8080" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("part", PARTS)
def test_a_part_refuses_to_start_with_a_wrong_companies_file_and_names_the_place(part: str, tmp_path: Path) -> None:
    path = tmp_path / "companies.toml"
    path.write_text('[[companies]]\ncompany_key = "acme"\nregion = "MARS"\n')
    result = vibes_pipeline(part, VIBES_PIPELINE_COMPANIES_FILE=str(path))
    assert result.returncode == 2
    assert f"companies file {path}: companies.0.region" in result.stderr


def test_a_missing_api_password_is_named_without_a_guess_at_its_value(companies_file: str) -> None:
    path = Path(companies_file)
    path.write_text(path.read_text() + 'api_username = "user@example.com"\napi_password_env = "NOT_SET_ANYWHERE"\n')
    result = vibes_pipeline("person-sync", VIBES_PIPELINE_COMPANIES_FILE=companies_file)
    assert result.returncode == 2
    assert "api_password_env names NOT_SET_ANYWHERE, which is not set" in result.stderr


@pytest.mark.parametrize("command", ["migrate", "status", "audit"])
def test_a_service_that_cannot_be_reached_is_named_with_what_to_look_at(command: str) -> None:
    result = vibes_pipeline(command, DATABASE_URL="postgresql://user:hunter2@127.0.0.1:1/x")
    assert result.returncode == 1
    assert result.stderr.startswith("vibes-pipeline: DATABASE_URL: ")
    assert "hunter2" not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_database_that_was_not_migrated_says_which_command_to_run(postgres_empty_url: str, amqp_url: str) -> None:
    result = vibes_pipeline("status", DATABASE_URL=postgres_empty_url, AMQP_URL=amqp_url)
    assert result.returncode == 1
    assert "run: vibes-pipeline migrate" in result.stderr


def test_migrate_can_be_run_twice(postgres_empty_url: str) -> None:
    first = vibes_pipeline("migrate", DATABASE_URL=postgres_empty_url)
    assert "applied 0001-callback-log" in first.stdout
    second = vibes_pipeline("migrate", DATABASE_URL=postgres_empty_url)
    assert second.stdout == "the database is up to date\n"
    assert second.returncode == 0


def test_an_endpoint_key_comes_with_the_hash_that_the_companies_file_holds() -> None:
    out = vibes_pipeline("endpoint-key").stdout
    key = out.split("/callbacks/")[1].split()[0]
    assert len(key) >= 40
    assert "key_sha256" in out
