"""`vibes-pipeline persons show` and `persons sync`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.facts import OptIn, OptOut, PersonIdentity, Sighting, Stay
from schemas.values import read_timestamp
from tests.support.conflicts import COMPANIES, Desk
from tests.support.vibes_commands import Simulator, Tenant, simulator

MDN, OTHER_MDN = "+13125550100", "+13125550199"


@pytest.fixture
def desk(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    path = tmp_path / "companies.toml"
    path.write_text(COMPANIES)
    return Desk(database_url, path, capsys, monkeypatch)


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with simulator() as vibes:
        yield vibes


@pytest.fixture
def tenant(running: Simulator, tmp_path: Path, database_url: str) -> Tenant:
    tenant = running.tenant(tmp_path)
    tenant.environment["DATABASE_URL"] = database_url
    return tenant


def at(text: str) -> Any:
    moment = read_timestamp(text)
    assert moment is not None
    return moment


def keys(dossier: Any) -> list[str]:
    return [person["person_key"] for person in dossier["persons"]]


class TestShowing:
    def test_somebody_is_found_by_any_of_their_ids(self, desk: Desk) -> None:
        desk.tell(Sighting(PersonIdentity("1001", "K1"), at("2026-01-01"), "E1", MDN, MDN))
        for option, value in (
            ("--external-id", "E1"),
            ("--person-key", "K1"),
            ("--person-id", "1001"),
            ("--mdn", MDN),
            ("--mdn", "(312) 555-0100"),
        ):
            assert keys(desk.json("persons", "show", option, value)) == ["K1"]

    def test_a_number_may_have_several_owners(self, desk: Desk) -> None:
        desk.person("K1", "E1", MDN)
        desk.person("K2", "E2", MDN)
        assert sorted(keys(desk.json("persons", "show", "--mdn", MDN))) == ["K1", "K2"]

    def test_the_person_a_record_is_bound_to_is_shown_with_it(self, desk: Desk) -> None:
        desk.record("E1", mdn=MDN)
        desk.person("K1")
        desk.bind("E1", "K1")
        for option, value in (("--external-id", "E1"), ("--person-key", "K1"), ("--mdn", MDN)):
            dossier = desk.json("persons", "show", option, value)
            assert (keys(dossier), dossier["crm"][0]["external_person_id"]) == (["K1"], "E1")

    def test_numbers_are_masked_unless_asked_not_to(self, desk: Desk) -> None:
        desk.person("K1", "E1", MDN, home="+13125550777")
        desk.conflicting_record("E1", mdn=MDN, message=f"{MDN} is taken", custom_fields={"home": "+13125550777"})
        for form in ((), ("--json",)):
            shown = desk.run("persons", "show", "--external-id", "E1", *form).stdout
            assert "***0100" in shown
            assert MDN not in shown
            assert "+13125550777" not in shown
            assert MDN in desk.run("persons", "show", "--external-id", "E1", "--unmasked", *form).stdout

    def test_stays_say_which_of_them_count_now(self, desk: Desk) -> None:
        person = PersonIdentity("1001", "K1")
        desk.tell(
            Stay(person, "list1", at("2026-01-01"), opt_in=OptIn(at("2026-01-01"), "e1")),
            Stay(
                person,
                "list1",
                at("2025-01-01"),
                opt_out=OptOut(at("2025-02-01"), at("2025-02-01"), "e2", "keyword_opt_out"),
            ),
        )
        (shown,) = desk.json("persons", "show", "--person-key", "K1")["persons"]
        told = [(stay["subscribed"], stay["opt_out_reason"]) for stay in shown["subscriptions"]]
        assert told == [(True, None), (False, "keyword_opt_out")]
        assert "keyword_opt_out" in desk.run("persons", "show", "--person-key", "K1").stdout

    def test_the_crms_fields_come_with_their_times_removed_ones_too(self, desk: Desk) -> None:
        desk.record("E1", zip="60601")
        times = {"custom_fields.zip": "2026-01-01T00:00:00Z", "mdn": "2026-01-05T00:00:00Z"}
        desk.sql("UPDATE crm_persons SET field_times = $1", json.dumps(times))
        assert desk.json("persons", "show", "--external-id", "E1")["crm"][0]["field_times"] == times
        lines = desk.run("persons", "show", "--external-id", "E1").stdout.splitlines()
        assert any("custom_fields.zip" in line and "60601" in line and "2026-01-01" in line for line in lines)
        assert any("mdn" in line and "(removed)" in line and "2026-01-05" in line for line in lines)

    def test_syncs_calls_and_events_are_told_without_bodies(self, desk: Desk) -> None:
        desk.tell(Sighting(PersonIdentity("1001", "K1"), at("2026-01-01"), "E1", None, None))
        uid = desk.conflicting_record("E1", error="the reason")
        desk.sql(
            "INSERT INTO person_api_calls (company_key, person_uid, method, route, status, attempt, latency_seconds) "
            "VALUES ('acme', $1, 'PUT', '/persons/{person_key}', 409, 1, 0.25)",
            uid,
        )
        desk.sql(
            "INSERT INTO callback_events (company_key, callback_type, event_id, event_date, received_at, person_id, "
            "list_id, payload, endpoint, message_id, position) VALUES ('acme', 'subscription_added', 'e1', "
            "'2026-01-01', '2026-01-02', '1001', 'list1', '{\"secret\": 1}', 'main', gen_random_uuid(), 0)"
        )
        dossier = desk.json("persons", "show", "--external-id", "E1")
        assert dossier["syncs"][0]["status"] == "conflict"
        assert dossier["calls"][0]["status"] == 409
        assert dossier["events"] == [
            {
                "callback_type": "subscription_added",
                "event_date": "2026-01-01T00:00:00Z",
                "received_at": "2026-01-02T00:00:00Z",
                "list_id": "list1",
                "reason": None,
            }
        ]
        shown = desk.run("persons", "show", "--external-id", "E1").stdout
        for word in ("write E1", "the reason", "PUT /persons/{person_key}", "subscription_added"):
            assert word in shown

    def test_nobody_is_told_in_a_line(self, desk: Desk) -> None:
        result = desk.run("persons", "show", "--external-id", "nobody")
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ((), "give one of --external-id"),
            (("--external-id", "E1", "--mdn", MDN), "give one of --external-id"),
            (("--external-id", " "), "give one of --external-id"),
            (("--mdn", "hello"), "--mdn: not a phone number"),
        ],
    )
    def test_wrong_use_is_told_in_a_line(self, desk: Desk, arguments: tuple[str, ...], problem: str) -> None:
        result = desk.run("persons", "show", *arguments)
        assert result.exit_code == 2
        assert problem in result.stderr


class TestAskingForASync:
    def test_a_record_is_due_now_ahead_of_imports_however_it_was_before(self, desk: Desk) -> None:
        for external, status in (("E1", None), ("E2", "postponed"), ("E3", "synced"), ("E4", "conflict")):
            uid = desk.conflicting_record(external) if status else desk.record(external)
            desk.sql(
                "UPDATE person_sync SET status = $2, next_attempt_at = now() + interval '1 hour' WHERE person_uid = $1",
                uid,
                status or "",
            )
            assert desk.run("persons", "sync", external).stdout == "1 due now\n"
            row = desk.row(uid)
            assert (row["status"], row["now"], row["bulk"]) == ("pending", True, False)

    def test_an_unknown_record_is_told_and_the_others_are_asked_for(self, desk: Desk) -> None:
        uid = desk.record("E1")
        result = desk.run("persons", "sync", "nobody", "E1", "E1")
        assert (result.exit_code, result.stdout) == (1, "1 due now\n")
        assert "nobody: the CRM has no such record" in result.stderr
        assert desk.row(uid)["desired_version"] == 1

    def test_all_that_was_put_off_is_tried_now_and_imports_stay_imports(self, desk: Desk) -> None:
        later = "UPDATE person_sync SET status = $2, next_attempt_at = now() + interval '1 hour' WHERE person_uid = $1"
        waiting, conflict = desk.conflicting_record("E1"), desk.conflicting_record("E2")
        desk.sql(later, waiting, "postponed")
        assert desk.json("persons", "sync", "--all-waiting") == {"due": 1, "unknown": []}
        assert (desk.row(waiting)["now"], desk.row(waiting)["bulk"]) == (True, True)
        assert desk.row(conflict)["status"] == "conflict"
        assert desk.json("persons", "sync", "--all-waiting") == {"due": 0, "unknown": []}

    def test_waiting_in_vain_says_so(self, desk: Desk) -> None:
        desk.record("E1")
        result = desk.run("persons", "sync", "E1", "--wait", "0.3")
        assert result.exit_code == 1
        assert "1 due now: 0 synced, 0 not done, 0 conflicts, 1 waiting" in result.stdout
        assert "is a person worker running?" in result.stderr

    @pytest.mark.parametrize("arguments", [(), ("E1", "--all-waiting"), ("E1", "--person-key", "K1")])
    def test_wrong_use_is_told_in_a_line(self, desk: Desk, arguments: tuple[str, ...]) -> None:
        result = desk.run("persons", "sync", *arguments)
        assert result.exit_code == 2
        assert "one of the three" in result.stderr

    def test_reading_needs_credentials(self, desk: Desk) -> None:
        result = desk.run("persons", "sync", "--person-key", "K1")
        assert result.exit_code == 2
        assert "company acme: no API credentials are configured" in result.stderr


class TestReadingAPersonAgain:
    def test_a_person_is_read_whether_or_not_they_were_read_before(self, tenant: Tenant) -> None:
        signed_up = tenant.json("participants", "add", "--campaign", "ACQ1000", "--mdn", MDN)
        key = signed_up["person_key"]
        assert tenant.json("persons", "sync", "--person-key", key) == {"read": 1, "unknown": []}
        show = ("persons", "show", "--person-key", key, "--unmasked")
        assert tenant.json(*show)["persons"][0]["mdn"] == MDN
        change = ("participants", "add", "--campaign", "ACQ1000S", "--person-key", key, "--field", "first_name=Jane")
        assert tenant.json(*change)["outcome"] == "subscribed"
        assert tenant.run("persons", "sync", "--person-key", key).stdout == "1 read from Vibes\n"
        shown = tenant.json(*show)
        assert shown["persons"][0]["custom_fields"]["first_name"] == "Jane"
        assert (shown["calls"][0]["route"], shown["calls"][0]["status"]) == ("/persons/{person_key}", 200)

    def test_a_person_vibes_does_not_know_is_told(self, tenant: Tenant) -> None:
        result = tenant.run("persons", "sync", "--person-key", "nobody")
        assert result.returncode == 1
        assert "nobody: Vibes knows no such person" in result.stderr

    def test_an_outage_is_told_in_a_line(self, tenant: Tenant) -> None:
        tenant.write_companies(tenant.companies_toml(api_base_url="http://127.0.0.1:1"))
        result = tenant.run("persons", "sync", "--person-key", "K1", VIBES_PIPELINE_PERSON_API_ATTEMPTS="1")
        assert (result.returncode, result.stdout) == (1, "")
        assert "Vibes is not available" in result.stderr
