from datetime import UTC, datetime
from typing import Any

import pytest

from cli.callbacks.file import read_specs
from cli.callbacks.parameters import PARAMETERS, read_parameters, read_type
from cli.callbacks.urls import check_url, expand, key_hash, mask_url
from cli.registrations import Action, as_update, plan
from schemas.errors import ConfigurationError
from vibes_api import CallbackSpec, CallbackType, Registration

NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://hooks.acme.com/callbacks/key-one"
NEW_KEY = "https://hooks.acme.com/callbacks/key-two"
ELSEWHERE = "https://crm.acme.com/vibes"


def wanted(callback_type: str = "person_updated", url: str = URL, **more: Any) -> CallbackSpec:
    return CallbackSpec(callback_type=callback_type, url=url, **more)


def registered(
    callback_type: str = "person_updated", url: str = URL, callback_id: str = "1", **more: Any
) -> Registration:
    destination: dict[str, Any] = {"url": url}
    destination |= {name: more.pop(name) for name in ("method", "content_type") if name in more}
    return Registration.from_json(
        {"callback_id": callback_id, "callback_type": callback_type, "destination": destination, **more}
    )


def actions(steps: Any) -> list[tuple[str, str | None]]:
    return [(step.action.value, step.present and step.present.callback_id) for step in steps]


def planned(
    specs: list[CallbackSpec], present: list[Registration], *, prune: bool = False
) -> list[tuple[str, str | None]]:
    return actions(plan(specs, present, prune=prune, now=NOW))


# --- plan


def test_what_is_not_there_is_created() -> None:
    assert planned([wanted()], []) == [("create", None)]


def test_what_is_there_is_kept_whatever_vibes_says_of_its_defaults() -> None:
    assert planned([wanted()], [registered()]) == [("keep", "1")]
    there = registered(method="POST", content_type="application/json; charset=utf-8")
    assert planned([wanted()], [there]) == [("keep", "1")]


def test_a_number_and_a_text_are_the_same_parameter() -> None:
    spec = wanted("subscription_added", parameters={"list_id": "1234"})
    assert planned([spec], [registered("subscription_added", subscription_added={"list_id": 1234})]) == [("keep", "1")]


def test_another_list_is_another_registration() -> None:
    spec = wanted("subscription_added", parameters={"list_id": "1234"})
    other = registered("subscription_added", subscription_added={"list_id": "99"})
    assert planned([spec], [other]) == [("create", None), ("keep", "1")]


@pytest.mark.parametrize("differing", [{"method": "PUT"}, {"content_type": "text/json"}])
def test_another_method_or_content_type_is_an_update(differing: dict[str, str]) -> None:
    (step,) = plan([wanted()], [registered(**differing)], prune=False, now=NOW)
    assert step.action is Action.UPDATE
    assert step.changes == tuple(differing)


def test_a_parameter_that_is_a_setting_is_an_update() -> None:
    spec = wanted("unmatched_message_received", parameters={"source_code": "12345", "country_code": "44"})
    there = registered(
        "unmatched_message_received", unmatched_message_received={"source_code": 12345, "country_code": 1}
    )
    (step,) = plan([spec], [there], prune=False, now=NOW)
    assert (step.action, step.changes) == (Action.UPDATE, ("parameters",))


def test_all_delivery_reports_are_what_vibes_sends_without_being_told() -> None:
    there = registered("event_processed", event_processed={"callbacks_to_send": "all"})
    assert planned([wanted("event_processed", parameters={})], [there]) == [("keep", "1")]


def test_a_new_key_at_the_same_place_is_an_update() -> None:
    (step,) = plan([wanted(url=NEW_KEY)], [registered()], prune=False, now=NOW)
    assert (step.action, step.changes, step.begins) == (Action.UPDATE, ("url",), True)


def test_a_registration_that_goes_elsewhere_may_be_somebody_elses_and_is_left_alone() -> None:
    assert planned([wanted()], [registered(url=ELSEWHERE)]) == [("create", None), ("keep", "1")]


def test_with_prune_it_is_moved_in_one_step_so_that_no_event_is_missed() -> None:
    assert planned([wanted()], [registered(url=ELSEWHERE)], prune=True) == [("update", "1")]


def test_while_two_keys_are_in_use_each_registration_is_its_own() -> None:
    both = [registered(callback_id="1"), registered(url=NEW_KEY, callback_id="2")]
    assert planned([wanted(), wanted(url=NEW_KEY)], both) == [("keep", "1"), ("keep", "2")]
    assert planned([wanted(url=NEW_KEY)], both) == [("keep", "2"), ("keep", "1")]
    assert planned([wanted(url=NEW_KEY)], both, prune=True) == [("keep", "2"), ("cancel", "1")]


def test_what_is_not_in_the_file_is_cancelled_only_with_prune() -> None:
    there = [registered(), registered("person_added", callback_id="2")]
    assert planned([wanted()], there) == [("keep", "1"), ("keep", "2")]
    assert planned([wanted()], there, prune=True) == [("keep", "1"), ("cancel", "2")]


def test_what_has_ended_counts_as_not_there() -> None:
    assert planned([wanted()], [registered(end_date="2025-12-31T23:59Z")]) == [("create", None)]
    assert planned([wanted()], [registered(end_date="2026-01-02")]) == [("keep", "1")]


def test_an_update_keeps_the_dates_that_are_there() -> None:
    there = registered(method="PUT", start_date="2025-01-01T00:00Z", end_date="2027-01-01T00:00Z")
    (step,) = plan([wanted()], [there], prune=False, now=NOW)
    update = as_update(step)
    assert update is not None
    assert (update.method, update.start_date, update.end_date) == ("POST", "2025-01-01T00:00Z", "2027-01-01T00:00Z")


def test_carrying_a_plan_out_leaves_nothing_to_do() -> None:
    specs = [wanted(), wanted("subscription_added", url=NEW_KEY, parameters={"list_id": "1"}, method="PUT")]
    there = [Registration.from_json({"callback_id": number, **spec.to_json()}) for number, spec in enumerate(specs)]
    assert {step.action for step in plan(specs, there, prune=True, now=NOW)} == {Action.KEEP}


# --- types and parameters


def test_every_type_has_its_parameters() -> None:
    assert set(PARAMETERS) == set(CallbackType)
    assert len(PARAMETERS) == 17


@pytest.mark.parametrize("callback_type", CallbackType)
def test_a_type_takes_its_own_parameters_and_no_others(callback_type: CallbackType) -> None:
    examples = {parameter.name: parameter.example for parameter in PARAMETERS[callback_type]}
    assert read_parameters(callback_type, examples) == examples
    with pytest.raises(ValueError, match="has no parameter 'colour'"):
        read_parameters(callback_type, {**examples, "colour": "red"})


def test_a_missing_parameter_is_named_with_an_example() -> None:
    with pytest.raises(ValueError, match=r'subscription_added needs list_id\. Example: list_id = "1234"'):
        read_parameters(CallbackType.SUBSCRIPTION_ADDED, {})


def test_a_choice_outside_of_the_documented_ones_is_refused() -> None:
    with pytest.raises(ValueError, match="'some' is none of all, only_failures"):
        read_parameters(CallbackType.EVENT_PROCESSED, {"callbacks_to_send": "some"})


def test_a_misspelt_type_is_told_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean person_updated"):
        read_type("person_update")


# --- URLs


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://hooks.acme.com/callbacks/k", "must be https"),
        ("https://www.google.com/callbacks/k", "placeholder host"),
        ("https://example.com/callbacks/k", "placeholder host"),
        ("https://YOUR.HOST/callbacks/k", "placeholder host"),
        ("https://hooks.acme.test/callbacks/k", "cannot reach"),
        ("https://localhost/callbacks/k", "cannot reach"),
        ("https://ingest:8080/callbacks/k", "cannot reach"),
        ("https://10.1.2.3/callbacks/k", "cannot reach"),
        ("https://[::1]/callbacks/k", "cannot reach"),
    ],
)
def test_urls_that_vibes_should_not_be_given_pass_in_trials_only(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_url(url, allow_insecure=False)
    check_url(url, allow_insecure=True)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://hooks.acme.com/" + "k" * 1024, "1047 characters"),
        ("https://hooks.acme.com/callbacks/<secret-key>", "placeholder left"),
        ("https://hooks.acme.com/callbacks/$SECRET", "placeholder left"),
        ("https://hooks.acme.com/callbacks/secret key", "space"),
        ("https://user:secret@hooks.acme.com/callbacks/k", "user name"),
        ("https://hooks.acme.com/callbacks/k#secret", "fragment"),
        ("hooks.acme.com/callbacks/secret", "whole https URL"),
        ("https://hooks.acme.com:secret/", "cannot be read"),
        ("", "whole https URL"),
    ],
)
def test_urls_that_can_never_work_are_refused_without_showing_their_secrets(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        check_url(url, allow_insecure=True)
    assert "secret" not in str(caught.value)


def test_a_public_https_url_is_accepted() -> None:
    check_url(URL, allow_insecure=False)
    check_url("https://8.8.8.8:8443/callbacks/k", allow_insecure=False)
    check_url("https://hooks.acme.com/" + "k" * 1001, allow_insecure=False)


def test_a_shown_url_has_the_start_of_the_keys_hash_in_the_place_of_the_key() -> None:
    assert mask_url(URL) == f"https://hooks.acme.com/callbacks/***{key_hash(URL)[:8]}"
    assert "key-one" not in mask_url(URL + "/")
    assert mask_url("https://hooks.acme.com/key?token=x").endswith("?***")
    assert "pass" not in mask_url("https://user:pass@hooks.acme.com/key")
    assert mask_url("https://hooks.acme.com/") == "https://hooks.acme.com/"
    assert mask_url("https://[broken/key") == mask_url("key") == mask_url(None) == "***"


def test_a_url_takes_its_key_from_the_environment() -> None:
    assert expand("https://h/${KEY}", {"KEY": "abc"}) == "https://h/abc"
    with pytest.raises(ValueError, match="variable KEY, which is not set"):
        expand("https://h/${KEY}", {})


# --- the file


def entry(**changes: Any) -> dict[str, Any]:
    return {"callback_type": "person_updated", "url": URL, **changes}


def read(*entries: Any, **more: Any) -> list[CallbackSpec]:
    return read_specs("r.toml", {"registrations": list(entries), **more}, {"KEY": "key-one"}, allow_insecure=False)


def test_an_entry_becomes_what_is_sent() -> None:
    (spec,) = read(
        {
            "callback_type": "subscription_removed",
            "parameters": {"list_id": 1234},
            "url": "https://hooks.acme.com/callbacks/${KEY}",
            "method": "PUT",
            "content_type": "text/json",
        }
    )
    assert spec.to_json() == {
        "callback_type": "subscription_removed",
        "subscription_removed": {"list_id": "1234"},
        "destination": {"url": URL, "method": "PUT", "content_type": "text/json"},
    }


def test_event_processed_always_has_its_object() -> None:
    (spec,) = read(entry(callback_type="event_processed"))
    assert spec.to_json()["event_processed"] == {}


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (entry(callback_type="person_update"), "r.toml: entry 2 (person_update): callback_type 'person_update'"),
        ({"url": URL}, "entry 2 (without callback_type): callback_type is missing"),
        ({"callback_type": "person_added"}, "url is missing"),
        (entry(url="http://hooks.acme.com/x"), "must be https"),
        (entry(url="https://hooks.acme.com/${NOT_SET}"), "NOT_SET, which is not set"),
        (entry(list_id="1"), "list_id is no setting of a registration; the settings are callback_type, parameters"),
        (entry(parameters={"list_id": "1"}), "person_updated has no parameter 'list_id'; it takes none"),
        (entry(parameters="1234"), "parameters must be a table"),
        (entry(method="GET"), "method 'GET' is none of POST, PUT"),
        (entry(content_type="text/xml"), "content_type 'text/xml' is none of"),
        ("person_added", "entry 2: must be a table"),
    ],
)
def test_a_bad_entry_is_named_with_its_problem(bad: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(entry(), bad)
    assert problem in str(caught.value)
    assert "key-one" not in str(caught.value)


def test_all_bad_entries_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(entry(callback_type="a"), entry(), entry(method="b"))
    assert [line.split(" (")[0] for line in str(caught.value).splitlines()] == ["r.toml: entry 1", "r.toml: entry 3"]


def test_the_same_registration_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"entry 1 \(person_updated\): is there 2 times") as caught:
        read(entry(), entry(method="PUT"))
    assert "key-one" not in str(caught.value)
    assert len(read(entry(), entry(url=ELSEWHERE))) == 2


def test_more_urls_than_vibes_takes_are_refused() -> None:
    fifty = [entry(url=f"{URL}{number}") for number in range(50)]
    assert len(read(*fifty)) == 50
    with pytest.raises(ConfigurationError, match="more than 50"):
        read(*fifty, entry())


@pytest.mark.parametrize("data", [{}, {"registrations": []}, {"registration": [entry()]}])
def test_a_file_without_registrations_is_refused_rather_than_taken_for_none_wanted(data: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"must hold \[\[registrations\]\]"):
        read_specs("r.toml", data, {}, allow_insecure=False)
