"""`vibes-pipeline participants` and `subscriptions` against a simulator: both are processes.

The simulator's list 1234 has the campaigns ACQ1000 (double opt-in) and ACQ1000S (single).
"""

from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.support.vibes_commands import Simulator, Tenant, simulator

MDN = "+13125550123"
DOUBLE = ("participants", "add", "--campaign", "ACQ1000")
SINGLE = ("participants", "add", "--campaign", "ACQ1000S")
LEAVE = ("subscriptions", "cancel", "--list", "1234")


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with simulator() as vibes:
        yield vibes


@pytest.fixture
def acme(running: Simulator, tmp_path: Path) -> Tenant:
    return running.tenant(tmp_path)


def outcome(answer: Any) -> tuple[str, int]:
    return answer["outcome"], answer["status"]


def sentence(result: CompletedProcess[str], exit_code: int) -> str:
    """The one line that was printed: what is done on standard output, a refusal on standard error."""
    assert result.returncode == exit_code
    told, silent = (result.stdout, result.stderr) if exit_code == 0 else (result.stderr, result.stdout)
    assert silent == ""
    assert len(told.splitlines()) == 1
    return told


def test_a_sign_up_waits_for_the_persons_answer(acme: Tenant) -> None:
    first = acme.json(*DOUBLE, "--mdn", MDN, "--external-person-id", "E1", "--field", "first_name=John")
    assert outcome(first) == ("pending", 201)
    assert "tell them to reply Y" in first["explanation"]
    again = acme.json(*DOUBLE, "--mdn", MDN)
    assert outcome(again) == ("pending_already", 200)
    assert again["person_key"] == first["person_key"]
    assert "is waiting for their answer already" in sentence(acme.run(*DOUBLE, "--mdn", MDN), 0)


def test_a_sign_up_without_confirmation_subscribes_at_once_and_a_second_one_has_nothing_to_do(acme: Tenant) -> None:
    first = acme.json(*SINGLE, "--mdn", MDN)
    assert outcome(first) == ("subscribed", 201)
    assert outcome(acme.json(*SINGLE, "--person-key", first["person_key"])) == ("already_subscribed", 409)
    assert "Nothing to do: the person is on the list already" in sentence(acme.run(*SINGLE, "--mdn", MDN), 0)


def test_a_person_vibes_knows_can_be_named_by_external_id(acme: Tenant) -> None:
    acme.json(*SINGLE, "--mdn", MDN, "--external-person-id", "E1")
    acme.json(*LEAVE, "--external-person-id", "E1")
    assert outcome(acme.json(*DOUBLE, "--external-person-id", "E1")) == ("pending", 201)


def test_a_number_in_the_wrong_form_is_told_with_the_right_one(acme: Tenant) -> None:
    told = sentence(acme.run(*DOUBLE, "--mdn", "3125550123"), 1)
    assert "+ and country code, such as +13125550123. Nothing was changed." in told
    assert outcome(acme.json(*DOUBLE, "--mdn", "3125550123", exit_code=1)) == ("bad_request", 400)


def test_somebody_who_has_declined_can_only_come_back_by_keyword(acme: Tenant) -> None:
    person_key = acme.json(*DOUBLE, "--mdn", MDN)["person_key"]
    reply = {"company_key": acme.company_key, "acquisition_id": "ACQ1000", "person_key": person_key, "accepted": False}
    acme.control("POST", "replies", reply)
    assert outcome(acme.json(*DOUBLE, "--mdn", MDN, exit_code=1)) == ("confirmation_block", 422)
    assert "they have to text the campaign's keyword themselves" in sentence(acme.run(*DOUBLE, "--mdn", MDN), 1)


def test_a_landline_is_told_as_one(acme: Tenant) -> None:
    assert outcome(acme.json(*DOUBLE, "--mdn", "+19005550123", exit_code=1)) == ("no_carrier", 422)
    assert "landlines" in sentence(acme.run(*DOUBLE, "--mdn", "+19005550123"), 1)


def test_an_external_id_of_somebody_else_is_told(acme: Tenant) -> None:
    acme.json(*DOUBLE, "--mdn", MDN, "--external-person-id", "E1")
    acme.json(*DOUBLE, "--mdn", "+13125550999", "--external-person-id", "E2")
    mixed = ("--mdn", "+13125550999", "--external-person-id", "E1")
    assert outcome(acme.json(*DOUBLE, *mixed, exit_code=1)) == ("external_id_taken", 422)
    assert "belongs to another person" in sentence(acme.run(*DOUBLE, *mixed), 1)


def test_an_unknown_custom_field_is_named_and_its_value_is_not(acme: Tenant) -> None:
    fields = ("--field", "first_name=John", "--field", "shoe_size=fortytwo")
    assert outcome(acme.json(*DOUBLE, "--mdn", MDN, *fields, exit_code=1)) == ("custom_field", 422)
    told = sentence(acme.run(*DOUBLE, "--mdn", MDN, *fields), 1)
    assert "Vibes does not take the custom field shoe_size." in told
    assert "fortytwo" not in told


def test_an_unknown_campaign_or_person_is_told(acme: Tenant) -> None:
    told = sentence(acme.run("participants", "add", "--campaign", "NO", "--mdn", MDN), 1)
    assert "Vibes knows no such campaign" in told
    assert outcome(acme.json(*DOUBLE, "--person-key", "nobody", exit_code=1)) == ("not_found", 404)


def test_an_outage_is_not_taken_for_a_refusal(acme: Tenant) -> None:
    acme.write_companies(acme.companies_toml(api_base_url="http://127.0.0.1:1"))
    for command in ((*DOUBLE, "--mdn", MDN), (*LEAVE, "--person-key", "k")):
        assert "Vibes is not available" in sentence(acme.run(*command), 1)


def test_whoever_leaves_a_list_is_off_it_and_leaving_again_has_nothing_to_do(acme: Tenant) -> None:
    person_key = acme.json(*SINGLE, "--mdn", MDN)["person_key"]
    assert outcome(acme.json(*LEAVE, "--person-key", person_key)) == ("unsubscribed", 204)
    assert outcome(acme.json(*LEAVE, "--person-key", person_key)) == ("not_subscribed", 404)
    assert "Nothing to do" in sentence(acme.run(*LEAVE, "--external-person-id", "nobody/at all"), 0)
    assert outcome(acme.json(*SINGLE, "--mdn", MDN)) == ("subscribed", 201)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (DOUBLE, "nobody is named: give --mdn or --external-person-id or --person-key"),
        ((*DOUBLE, "--mdn", " "), "nobody is named"),
        ((*DOUBLE, "--mdn", MDN, "--field", "secret-name"), "--field, number 1: must be NAME=VALUE"),
        ((*DOUBLE, "--mdn", MDN, "--field", "a=1", "--field", "a=2"), "--field, number 2: must be NAME=VALUE"),
        (("participants", "add", "--campaign", " ", "--mdn", MDN), "acquisition_id is blank"),
        (LEAVE, "nobody is named: give --person-key or --external-person-id"),
        ((*LEAVE, "--person-key", "k", "--external-person-id", "e"), "give one of them"),
    ],
)
def test_wrong_use_is_told_before_vibes_is_asked(acme: Tenant, arguments: tuple[str, ...], problem: str) -> None:
    result = acme.run(*arguments)
    assert result.returncode == 2
    assert problem in result.stderr
    assert "secret-name" not in result.stderr
    assert MDN not in result.stderr
