"""`vibes-pipeline conflicts`: what an operator sees of conflicts, and can do about them."""

import uuid
from pathlib import Path

import pytest

from tests.support.conflicts import COMPANIES, Desk
from workers.person_sync.decide import MOVED, NUMBER_DIFFERS

MDN, OTHER_MDN = "+13125550100", "+13125550199"


@pytest.fixture
def desk(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    path = tmp_path / "companies.toml"
    path.write_text(COMPANIES)
    return Desk(database_url, path, capsys, monkeypatch)


class TestTheList:
    def test_says_what_is_wrong_with_whom_since_when_the_newest_first(self, desk: Desk) -> None:
        desk.conflicting_record("E1", status=409, message=f"The MDN {MDN} belongs to another person")
        desk.conflicting_record("E2", status=422, message="Custom fields unknown: zip", at="2026-01-03T00:00:00Z")
        listed = desk.json("conflicts", "list")
        assert listed["total"] == 2
        newest, oldest = listed["conflicts"]
        assert (newest["external_person_id"], newest["kind"], newest["last_status"]) == ("E2", "custom_field", 422)
        assert newest["finished_at"] == "2026-01-03T00:00:00Z"
        assert oldest["kind"] == "number_taken"
        table = desk.run("conflicts", "list").stdout
        assert "the number belongs to another person" in table
        assert "2026-01-02 00:00:00" in table

    def test_masks_what_vibes_says_unless_asked_not_to(self, desk: Desk) -> None:
        desk.conflicting_record("E1", message=f"The MDN {MDN} of jane@acme.example is taken")
        for arguments in (("conflicts", "list"), ("conflicts", "list", "--json"), ("conflicts", "show", "E1")):
            assert MDN not in desk.run(*arguments).stdout
            assert "jane@acme.example" not in desk.run(*arguments).stdout
            assert MDN in desk.run(*arguments, "--unmasked").stdout

    def test_counts_the_calls_that_were_made(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        for _ in range(2):
            desk.sql(
                "INSERT INTO person_api_calls (company_key, person_uid, method, route, status, attempt, "
                "latency_seconds) VALUES ('acme', $1, 'PUT', '/persons', 409, 1, 0.1)",
                uid,
            )
        assert desk.json("conflicts", "list")["conflicts"][0]["calls"] == 2

    def test_can_be_narrowed_down(self, desk: Desk) -> None:
        desk.conflicting_record("E1", status=409)
        desk.conflicting_record("E2", status=422, at="2026-01-03T00:00:00Z")
        desk.conflicting_record("E3", status=None, error=NUMBER_DIFFERS, at="2026-01-04T00:00:00Z")

        def found(*options: str) -> list[str]:
            return [row["external_person_id"] for row in desk.json("conflicts", "list", *options)["conflicts"]]

        assert found() == ["E3", "E2", "E1"]
        assert found("--status-code", "422") == ["E2"]
        assert found("--since", "2026-01-03") == ["E3", "E2"]
        assert found("--since", "1h") == []
        assert found("--limit", "1") == ["E3"]
        assert found("--company", "acme") == ["E3", "E2", "E1"]
        assert "the newest 1 of 3; --limit shows more" in desk.run("conflicts", "list", "--limit", "1").stdout

    def test_has_a_person_that_could_not_be_read_too(self, desk: Desk) -> None:
        uid = desk.seen("K1", MDN)
        desk.conflict(uid, status=400)
        assert desk.json("conflicts", "list")["conflicts"][0]["person_uid"] == str(uid)
        assert str(uid) in desk.run("conflicts", "list").stdout

    def test_is_empty_when_nothing_is_wrong(self, desk: Desk) -> None:
        desk.sql(
            "INSERT INTO person_sync (company_key, person_uid, status, desired_version, next_attempt_at) "
            "VALUES ('acme', gen_random_uuid(), 'synced', 1, now())"
        )
        assert desk.run("conflicts", "list").stdout == "no conflicts\n"
        assert desk.json("conflicts", "list") == {"total": 0, "conflicts": []}


class TestOneConflict:
    def test_shows_both_sides_and_what_differs(self, desk: Desk) -> None:
        desk.conflicting_record("E1", mdn=MDN, custom_fields={"zip": "60601", "name": "Jane"})
        desk.person("K1", "E1", OTHER_MDN, zip="10001", name="Jane")
        desk.person("K2", "E2", MDN)
        desk.bind("E1", "K1")
        shown = desk.json("conflicts", "show", "E1", "--unmasked")
        assert shown["crm"]["mdn"] == MDN
        bound, holder = shown["persons"]
        assert (bound["person_key"], bound["roles"]) == ("K1", ["bound", "external_id"])
        assert bound["differs"] == {
            "mdn": {"crm": MDN, "vibes": OTHER_MDN},
            "custom_fields.zip": {"crm": "60601", "vibes": "10001"},
        }
        assert (holder["person_key"], holder["roles"]) == ("K2", ["number"])
        assert shown["advice"]["kind"] == "number_fixed"
        table = desk.run("conflicts", "show", "E1").stdout
        assert "≠ ***0199" in table
        assert "≠ 10001" in table
        assert "What to do:" in table

    def test_names_the_person_who_has_the_number_when_vibes_does_not(self, desk: Desk) -> None:
        desk.conflicting_record("E1", mdn=MDN, status=409, message=None)
        desk.person("K2", "E2", MDN)
        advice = desk.json("conflicts", "show", "E1")["advice"]
        assert advice["kind"] == "number_taken"
        assert "The mirror knows: K2." in advice["meaning"]

    def test_names_the_person_an_external_id_moved_to(self, desk: Desk) -> None:
        desk.conflicting_record("E1", status=None, error=f"{MOVED}it is on another person now")
        desk.person("K1", None, MDN)
        desk.person("K2", "E1", OTHER_MDN)
        desk.bind("E1", "K1")
        advice = desk.json("conflicts", "show", "E1")["advice"]
        assert advice["kind"] == "external_id_moved"
        assert "was written to K1 before. The mirror knows: K2." in advice["meaning"]

    def test_names_the_custom_field_vibes_does_not_take(self, desk: Desk) -> None:
        desk.conflicting_record("E1", status=422, message="unknown: shoe_size", custom_fields={"shoe_size": "42"})
        told = desk.run("conflicts", "show", "E1").stdout
        assert "Vibes does not take the custom field shoe_size" in told

    def test_applies_the_companys_mapping_of_custom_fields(self, desk: Desk) -> None:
        desk.companies_file.write_text(
            COMPANIES + '[companies.sync.custom_fields.born]\nfield = "birthdate"\ntype = "date"\n'
        )
        desk.conflicting_record("E1", custom_fields={"born": "1990-12-31"})
        desk.person("K1", "E1", birthdate="1990-12-31T00:00:00Z")
        assert desk.json("conflicts", "show", "E1")["persons"][0]["differs"] == {}

    def test_tells_the_last_calls(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        desk.sql(
            "INSERT INTO person_api_calls (company_key, person_uid, method, route, status, attempt, latency_seconds) "
            "VALUES ('acme', $1, 'PUT', '/persons/{person_key}', 409, 1, 0.25)",
            uid,
        )
        assert desk.json("conflicts", "show", "E1")["calls"][0]["status"] == 409
        assert "PUT /persons/{person_key}" in desk.run("conflicts", "show", "E1").stdout

    def test_can_be_named_by_the_uid_of_a_person_to_be_read(self, desk: Desk) -> None:
        uid = desk.seen("K1", MDN)
        desk.conflict(uid, status=400)
        shown = desk.json("conflicts", "show", str(uid))
        assert shown["crm"] is None
        assert (shown["persons"][0]["person_key"], shown["persons"][0]["mdn"]) == ("K1", "***0100")
        assert desk.run("conflicts", "show", str(uid)).exit_code == 0

    def test_an_external_id_may_be_anything_the_crm_has(self, desk: Desk) -> None:
        for external in (str(uuid.uuid4()), "a b/c%'é", "[bold]"):
            desk.conflicting_record(external)
            assert desk.json("conflicts", "show", external)["conflict"]["external_person_id"] == external
            assert external in desk.run("conflicts", "show", external).stdout

    def test_says_so_when_it_is_none_any_more(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        desk.sql("UPDATE person_sync SET status = 'synced' WHERE person_uid = $1", uid)
        assert "this is no conflict now: its status is synced" in desk.run("conflicts", "show", "E1").stdout

    def test_an_unknown_one_is_told_in_a_line(self, desk: Desk) -> None:
        result = desk.run("conflicts", "show", "nobody")
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
        assert "nobody: the outbox has no such record" in result.stderr


class TestRetrying:
    def test_makes_a_conflict_due_now_and_ahead_of_imports(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        assert desk.run("conflicts", "retry", "E1").stdout == "1 due now\n"
        row = desk.row(uid)
        assert (row["status"], row["now"], row["bulk"], row["desired_version"]) == ("pending", True, False, 4)

    def test_twice_is_as_once(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        desk.run("conflicts", "retry", "E1")
        again = desk.json("conflicts", "retry", "E1")
        assert again == [{"id": "E1", "done": True, "changed": False, "note": "it is due already"}]
        assert desk.row(uid)["desired_version"] == 4

    def test_what_is_no_conflict_is_told_and_the_others_are_retried_all_the_same(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        done = desk.conflicting_record("E2")
        desk.sql("UPDATE person_sync SET status = 'synced' WHERE person_uid = $1", done)
        result = desk.run("conflicts", "retry", "E2", "E1", "nobody")
        assert result.exit_code == 1
        assert result.stdout == "1 due now\n"
        assert "E2: not in conflict: it was synced at 2026-01-02 00:00:00 UTC" in result.stderr
        assert "nobody: the outbox has no such record" in result.stderr
        assert (desk.row(uid)["status"], desk.row(done)["status"]) == ("pending", "synced")

    def test_all_of_a_company_or_all_of_a_kind(self, desk: Desk) -> None:
        one, two = desk.conflicting_record("E1", status=409), desk.conflicting_record("E2", status=422)
        elsewhere = uuid.uuid4()
        desk.conflict(elsewhere, "E1", company="other")
        assert desk.json("conflicts", "retry", "--all", "--status-code", "422") == {"due": 1}
        assert (desk.row(one)["status"], desk.row(two)["status"]) == ("conflict", "pending")
        assert desk.run("conflicts", "retry", "--all").stdout == "1 due now\n"
        assert desk.row(one)["status"] == "pending"
        assert desk.row(elsewhere)["status"] == "conflict"


class TestResolving:
    def test_closes_a_conflict_with_what_was_decided(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        assert desk.run("conflicts", "resolve", "E1", "--note", "left us").stdout == "1 resolved\n"
        row = desk.row(uid)
        assert (row["status"], row["resolution"]) == ("resolved", "left us")
        assert row["resolved_at"] is not None
        assert desk.json("conflicts", "list")["total"] == 0
        assert "left us" in desk.run("conflicts", "show", "E1").stdout

    def test_again_changes_nothing(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        desk.run("conflicts", "resolve", "E1", "--note", "first")
        again = desk.json("conflicts", "resolve", "E1", "--note", "second")
        assert again == [{"id": "E1", "done": True, "changed": False, "note": "it is resolved already"}]
        assert desk.row(uid)["resolution"] == "first"

    def test_a_change_that_makes_the_row_due_at_the_same_moment_wins(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        due = "UPDATE person_sync SET status = 'pending', desired_version = 4 WHERE person_uid = $1"
        with desk.meanwhile(due, uid):
            result = desk.run("conflicts", "resolve", "E1", "--note", "x")
        assert result.exit_code == 1
        assert "E1: not in conflict: it is due now" in result.stderr
        assert (desk.row(uid)["status"], desk.row(uid)["resolution"]) == ("pending", None)


class TestAcceptingAPerson:
    ACCEPT = ("conflicts", "resolve", "E1", "--note", "recycled", "--accept-person")

    def test_binds_the_record_and_makes_it_due(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1", status=None, error=f"{MOVED}it is on another person now")
        desk.person("K1", None)
        desk.person("K2", "E1")
        desk.bind("E1", "K1")
        assert desk.run(*self.ACCEPT, "K2").stdout == "1 bound and due now\n"
        row = desk.row(uid)
        assert (row["status"], row["now"], row["bulk"], row["resolution"]) == ("pending", True, False, "recycled")
        assert desk.bound_to("E1") == "K2"

    def test_a_person_without_an_external_id_can_be_given_it(self, desk: Desk) -> None:
        desk.conflicting_record("E1", mdn=MDN)
        desk.person("K2", None, MDN)
        assert desk.run(*self.ACCEPT, "K2").exit_code == 0
        assert desk.bound_to("E1") == "K2"

    def test_a_person_the_worker_would_refuse_again_is_refused_at_once_and_nothing_is_changed(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        desk.person("K1", None)
        desk.person("K2", "E1")
        desk.person("K3", "E3")
        desk.bind("E1", "K1")
        for person_key in ("K1", "K3"):
            result = desk.run(*self.ACCEPT, person_key)
            assert result.exit_code == 1
            assert "it would be a conflict again" in result.stderr
            assert (desk.bound_to("E1"), desk.row(uid)["status"]) == ("K1", "conflict")

    def test_a_person_nobody_knows_is_refused_with_the_way_to_get_to_know_them(self, desk: Desk) -> None:
        desk.conflicting_record("E1")
        result = desk.run(*self.ACCEPT, "nobody")
        assert result.exit_code == 1
        assert "vibes-pipeline persons sync --person-key" in result.stderr

    def test_a_row_that_a_worker_deals_with_at_the_same_moment_is_not_bound(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        desk.person("K2", "E1")
        with desk.meanwhile("UPDATE person_sync SET status = 'synced' WHERE person_uid = $1", uid):
            result = desk.run(*self.ACCEPT, "K2")
        assert (result.exit_code, desk.bound_to("E1"), desk.row(uid)["status"]) == (1, None, "synced")

    def test_what_is_no_conflict_is_not_bound(self, desk: Desk) -> None:
        uid = desk.conflicting_record("E1")
        desk.person("K2", "E1")
        desk.sql("UPDATE person_sync SET status = 'synced' WHERE person_uid = $1", uid)
        assert "not in conflict" in desk.run(*self.ACCEPT, "K2").stderr
        assert desk.bound_to("E1") is None

    def test_a_person_to_be_read_has_nothing_to_bind(self, desk: Desk) -> None:
        uid = desk.seen("K1", MDN)
        desk.conflict(uid)
        result = desk.run("conflicts", "resolve", str(uid), "--note", "x", "--accept-person", "K1")
        assert result.exit_code == 1
        assert "only a record of the CRM can be bound" in result.stderr

    def test_beware_of_two_records_for_one_person(self, desk: Desk) -> None:
        desk.conflicting_record("E1")
        desk.record("E2")
        desk.bind("E2", "K2")
        desk.person("K2", "E1")
        assert "beware: other records are bound to the same person: E2" in desk.run(*self.ACCEPT, "K2").stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("retry",), "name the conflicts, or give --all; not both"),
        (("retry", "E1", "--all"), "name the conflicts, or give --all; not both"),
        (("retry", "E1", "--status-code", "409"), "--status-code goes with --all"),
        (("resolve", "--note", "x"), "name the conflicts"),
        (("resolve", "E1"), "--note: say what was decided"),
        (("resolve", "E1", "--note", " "), "--note: say what was decided"),
        (("resolve", "E1", "E2", "--note", "x", "--accept-person", "K"), "--accept-person: name one conflict"),
        (("list", "--since", "yesterday"), "--since: must be a time"),
        (("list", "--company", "nobody"), "--company nobody: not in the companies file, which has acme"),
        (("show", "E1", "--company", "nobody"), "--company nobody: not in the companies file, which has acme"),
    ],
)
def test_wrong_use_is_told_in_a_line(desk: Desk, arguments: tuple[str, ...], problem: str) -> None:
    result = desk.run("conflicts", *arguments)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert problem in result.stderr
