"""The whole pipeline as `make demo` runs it, with fewer callbacks: every part a process started by its command."""

import json
from collections.abc import Iterator

import pytest
from rich.console import Console

from deploy.local.demo import COMPANIES, STORY, Report, run
from deploy.local.stack import Stack

SMALL = {**STORY, "callbacks": 1_500, "persons": 120, "malformed": 40, "shuffle_window": 300}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack(COMPANIES) as stack:
        yield stack


@pytest.fixture(scope="module")
def report(stack: Stack) -> Report:
    report, divergences = run(stack, Console(quiet=True), SMALL)
    assert divergences == []
    return report


def test_nothing_is_lost_and_nothing_diverges(report: Report) -> None:
    assert (report.lost, report.diverged, report.bad_answers) == (0, 0, 0)
    assert report.ok


def test_every_acknowledged_callback_has_exactly_one_outcome(report: Report) -> None:
    outcomes = report.applied + report.duplicates + report.quarantined + report.dead_lettered
    assert outcomes == report.acknowledged == report.sent


def test_duplicates_malformed_and_documented_bodies_were_among_them(report: Report) -> None:
    assert report.duplicates >= 0.1 * report.applied
    assert report.quarantined > 0
    assert report.documented == 9


def test_the_person_api_was_called_although_it_failed_now_and_then(report: Report) -> None:
    assert report.person_api["succeeded"] > 0
    assert report.person_api["calls"] == report.person_api["succeeded"] + report.person_api["failed"]


def test_status_and_audit_show_the_same_counts(stack: Stack, report: Report) -> None:
    names = ("applied", "duplicates", "quarantined", "dead_lettered")
    for command in ("status", "audit"):
        accounts = json.loads(stack.command(command, "--json"))["accounts"]
        assert {name: sum(account[name] for account in accounts) for name in names} == {
            name: getattr(report, name) for name in names
        }
        assert sum(account["acknowledged"] for account in accounts) == report.acknowledged


def test_the_audit_fails_for_a_receipt_that_was_never_dealt_with(stack: Stack, report: Report) -> None:
    forged = stack.directory / "forged.txt"
    forged.write_text("01932b1e-8d5a-7c3e-9f00-0a1b2c3d4e5f/0\n")
    audit = json.loads(
        stack.command("audit", "--json", "--receipts", str(forged), "--settle-seconds", "0", check=False)
    )
    assert not audit["ok"]
    assert audit["receipts"]["missing"] == ["01932b1e-8d5a-7c3e-9f00-0a1b2c3d4e5f/0"]


def test_people_see_tables(stack: Stack, report: Report) -> None:
    assert "acknowledged" in stack.command("status")
    assert "every acknowledged callback is accounted for" in stack.command("audit")


def test_no_log_shows_a_number_a_key_or_a_password(stack: Stack, report: Report) -> None:
    secrets = [company.endpoint_key for company in stack.companies.values()]
    secrets += [company.password for company in stack.companies.values()]
    for log in stack.directory.glob("*.log"):
        text = log.read_text()
        assert not [secret for secret in secrets if secret in text], log.name
        assert "+1" not in text.replace("+1000", ""), log.name
