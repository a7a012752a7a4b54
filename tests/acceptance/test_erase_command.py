"""`vibes-pipeline persons erase` against a simulator: both are processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.vibes_commands import Simulator, Tenant, simulator

MDN = "+13125550123"


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with simulator() as vibes:
        yield vibes


@pytest.fixture
def acme(running: Simulator, tmp_path: Path) -> Tenant:
    return running.tenant(tmp_path)


def sign_up(acme: Tenant, *options: str) -> str:
    person = ("--mdn", MDN, "--external-person-id", "member-1", "--field", "first_name=John")
    return str(acme.json("participants", "add", "--campaign", "ACQ1000S", *person, *options)["person_key"])


def test_a_person_only_vibes_knows_is_found_by_number_and_erased_there(acme: Tenant, database_url: str) -> None:
    person_key = sign_up(acme)
    plan = acme.json("persons", "erase", "--mdn", MDN, "--dry-run", DATABASE_URL=database_url)
    assert [each["person"]["person_keys"] for each in plan["people"]] == [[person_key]]

    erased = acme.json("persons", "erase", "--mdn", MDN, "--yes", DATABASE_URL=database_url)
    assert (erased["status"], erased["vibes_outcome"]) == ("done", "nullified")

    # At Vibes nobody has the number or the id any more: whoever signs up with them is somebody else.
    assert sign_up(acme) != person_key
    again = acme.json("persons", "erase", "--person-key", person_key, "--yes", DATABASE_URL=database_url)
    assert again["vibes_outcome"] == "nullified", "the empty record is still there, and still empty"


def test_without_a_database_nothing_is_erased(acme: Tenant) -> None:
    person_key = sign_up(acme)
    result = acme.run("persons", "erase", "--mdn", MDN, "--yes", DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert result.returncode == 1
    assert "DATABASE_URL: Postgres cannot be reached" in result.stderr
    assert sign_up_is_still_there(acme, person_key)


def sign_up_is_still_there(acme: Tenant, person_key: str) -> bool:
    told = acme.json("participants", "add", "--campaign", "ACQ1000S", "--person-key", person_key)
    return bool(told["outcome"] == "already_subscribed")


def test_a_company_without_an_account_at_vibes_has_to_say_local_only(acme: Tenant, database_url: str) -> None:
    (acme.directory / "companies.toml").write_text(
        f'[[companies]]\ncompany_key = "{acme.company_key}"\nregion = "US"\n'
        f'endpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]\n'
    )
    refused = acme.run("persons", "erase", "--external-id", "member-1", "--yes", DATABASE_URL=database_url)
    assert refused.returncode == 2
    assert "or erase here alone with --local-only" in refused.stderr
    arguments = ("persons", "erase", "--external-id", "member-1", "--local-only", "--yes")
    assert acme.json(*arguments, DATABASE_URL=database_url)["vibes_outcome"] == "left_alone"
