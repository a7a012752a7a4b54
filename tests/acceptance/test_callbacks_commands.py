"""`vibes-pipeline callbacks` against a simulator: both are processes."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.vibes_commands import Endpoint, Simulator, Tenant, simulator
from vibes_api import CallbackType

KEY = "a-key-that-nobody-may-see-4711"
LIST = ("--parameter", "list_id=1234")
LIST_TYPES = {CallbackType.SUBSCRIPTION_LIST_ADDED, CallbackType.SUBSCRIPTION_LIST_UPDATED}
EXAMPLES = {
    "ack_participant_added": '{ campaign_id = "ACQ1000" }',
    "ack_participant_changed": '{ campaign_id = "ACQ1000" }',
    "device_added": '{ app_id = "app" }',
    "device_removed": '{ app_id = "app" }',
    "device_updated": '{ app_id = "app" }',
    "event_processed": '{ event_type = "order_shipped", callbacks_to_send = "only_failures" }',
    "subscription_added": '{ list_id = "1234" }',
    "subscription_removed": '{ list_id = "9007199254740993" }',
    "unmatched_message_received": '{ source_code = "12345", country_code = "44" }',
    "wallet_item_install": '{ campaign_token = "osdmeh" }',
    "wallet_item_remove": '{ campaign_token = "osdmeh" }',
}


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with simulator() as vibes:
        yield vibes


@pytest.fixture
def acme(running: Simulator, tmp_path: Path) -> Tenant:
    return running.tenant(tmp_path)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint().running() as endpoint:
        yield endpoint


def url_of(endpoint: Endpoint, key: str = KEY) -> str:
    return f"{endpoint.url}/callbacks/{key}"


def entries(endpoint: Endpoint, *callback_types: str, path: str = "/callbacks/${ENDPOINT_KEY}", more: str = "") -> str:
    return "".join(
        f'[[registrations]]\ncallback_type = "{callback_type}"\nurl = "{endpoint.url}{path}"\n{more}\n'
        for callback_type in callback_types
    )


def sync(acme: Tenant, text: str, *options: str, stdin: str = "", key: str = KEY) -> tuple[int, str, str]:
    """Run a sync for local trials; whatever comes of it, the key is not shown."""
    result = acme.run("callbacks", "sync", acme.file(text), "--allow-insecure", *options, stdin=stdin, ENDPOINT_KEY=key)
    assert key not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.returncode, result.stdout, result.stderr


def registered(acme: Tenant) -> list[str]:
    return sorted(each["callback_type"] for each in acme.json("callbacks", "list"))


# --- one registration


def test_a_registration_from_its_beginning_to_its_end(acme: Tenant, endpoint: Endpoint) -> None:
    url = url_of(endpoint)
    made = acme.json("callbacks", "register", "subscription_added", "--url", url, *LIST, "--allow-insecure")
    assert made["parameters"] == {"list_id": "1234"}
    assert made["key_sha256"] == hashlib.sha256(KEY.encode()).hexdigest()
    assert made["url"] == f"{endpoint.url}/callbacks/***{made['key_sha256'][:8]}"
    assert acme.json("callbacks", "get", made["callback_id"]) == made

    changed = acme.json("callbacks", "update", made["callback_id"], "--method", "PUT", "--end-date", "2099-01-01")
    assert (changed["method"], changed["key_sha256"]) == ("PUT", made["key_sha256"])
    assert changed["parameters"] == made["parameters"]
    assert changed["end_date"].startswith("2099-01-01")
    assert acme.json("callbacks", "list") == [changed]

    acme.json("callbacks", "cancel", made["callback_id"])
    assert acme.run("callbacks", "list").stdout == "no callback is registered\n"


def test_people_see_a_table_without_the_key(acme: Tenant, endpoint: Endpoint) -> None:
    arguments = ("callbacks", "register", "person_added", "--url", endpoint.url + "/callbacks/${K}", "--allow-insecure")
    made = acme.run(*arguments, K=KEY)
    listed = acme.run("callbacks", "list")
    for shown in (made, listed):
        assert "person_added" in shown.stdout
        assert "/callbacks/***" in shown.stdout
        assert KEY not in shown.stdout + shown.stderr


def test_a_test_event_is_sent_to_the_endpoint(acme: Tenant, endpoint: Endpoint, database_url: str) -> None:
    acme.json("callbacks", "register", "subscription_added", "--url", url_of(endpoint), *LIST, "--allow-insecure")
    endpoint.posted.clear()
    endpoint.arrived.clear()
    data = json.dumps({"subscription": {"subscription_list": {"id": "77"}}})
    queued = acme.json("callbacks", "test", "subscription_added", "--data", data, DATABASE_URL=database_url)
    assert endpoint.arrived.wait(10)
    event = json.loads(endpoint.posted[0])
    assert event["event_id"] == queued["event_id"]
    assert event["subscription"]["subscription_list"]["id"] == "77"


def test_a_test_event_without_what_its_type_needs_is_not_asked_for(acme: Tenant) -> None:
    result = acme.run("callbacks", "test", "subscription_added")
    assert result.returncode == 2
    assert "needs subscription.subscription_list.id. Example: --data" in result.stderr


def test_a_test_event_needs_a_registration(acme: Tenant, database_url: str) -> None:
    result = acme.run("callbacks", "test", "person_added", DATABASE_URL=database_url)
    assert result.returncode == 1
    assert "no active registration of type person_added: register one first" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("person_added", "--url", "http://hooks.acme.com/callbacks/k"), "url must be https"),
        (("person_added", "--url", "https://google.com/callbacks/k"), "placeholder host google.com"),
        (("person_added", "--url", "https://hooks.acme.com/" + "k" * 1024), "Vibes takes at most 1024"),
        (("subscription_added", "--url", "https://hooks.acme.com/k"), "subscription_added needs list_id"),
        (("person_added", "--url", "https://hooks.acme.com/k", "-p", "list_id=1"), "has no parameter 'list_id'"),
        (("person_added", "--url", "https://hooks.acme.com/k", "-p", "list_id"), "must be NAME=VALUE"),
        (("person_added", "--url", "https://hooks.acme.com/k", "--start-date", "tomorrow"), "'tomorrow' is no time"),
        (
            (
                "person_added",
                "--url",
                "https://hooks.acme.com/k",
                "--start-date",
                "2030-01-02",
                "--end-date",
                "2030-01-01",
            ),
            "is not after the start date",
        ),
        (("person_update", "--url", "https://hooks.acme.com/k"), "Invalid value for 'TYPE'"),
    ],
)
def test_what_cannot_be_registered_is_refused_before_vibes_is_asked(
    acme: Tenant, arguments: tuple[str, ...], problem: str
) -> None:
    result = acme.run("callbacks", "register", *arguments)
    assert result.returncode == 2
    assert problem in result.stderr


@pytest.mark.parametrize("command", ["get", "update", "cancel"])
def test_an_unknown_id_is_told(acme: Tenant, command: str) -> None:
    result = acme.run("callbacks", command, "424242")
    assert result.returncode == 1
    assert result.stderr.startswith("vibes-pipeline: no registration has the id 424242")


def test_a_refusal_is_told_in_vibes_own_words(acme: Tenant, endpoint: Endpoint) -> None:
    arguments = ("callbacks", "register", "person_added", "--url", url_of(endpoint), "--allow-insecure")
    assert acme.run(*arguments).returncode == 0
    again = acme.run(*arguments)
    assert again.returncode == 1
    assert 'Vibes says: "This callback is registered for this destination and time already"' in again.stderr
    assert len(again.stderr.splitlines()) == 1


# --- which company, and what is wrong with it


def test_a_company_has_to_be_named_where_there_are_several(acme: Tenant) -> None:
    other = acme.companies_toml(company_key="other").replace("0" * 64, "1" * 64)
    acme.write_companies(acme.companies_toml(), other)
    assert acme.json("callbacks", "list", "--company", acme.company_key) == []
    unnamed, unknown = acme.run("callbacks", "list"), acme.run("callbacks", "list", "--company", "third")
    assert (unnamed.returncode, unknown.returncode) == (2, 2)
    assert f"--company: the companies file has several, name one of them: {acme.company_key}, other" in unnamed.stderr
    assert f"--company third: not in the companies file, which has {acme.company_key}, other" in unknown.stderr


def test_denied_access_says_which_settings_to_check(acme: Tenant) -> None:
    result = acme.run("callbacks", "list", TRIAL_PASSWORD="wrong-password")
    assert result.returncode == 2
    assert "Vibes denies access (401); check api_username, api_password_env, company_key and region" in result.stderr
    assert "wrong-password" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_outage_is_told_as_one(acme: Tenant) -> None:
    acme.write_companies(acme.companies_toml(api_base_url="http://127.0.0.1:1"))
    result = acme.run("callbacks", "list")
    assert result.returncode == 1
    assert "Vibes is not available at http://127.0.0.1:1" in result.stderr
    assert "try again later" in result.stderr
    assert len(result.stderr.splitlines()) == 1


# --- sync


def test_types_are_registered_with_their_parameters(acme: Tenant, endpoint: Endpoint) -> None:
    types = sorted(set(CallbackType) - LIST_TYPES)
    text = "".join(
        entries(endpoint, each, more=f"parameters = {EXAMPLES[each]}" if each in EXAMPLES else "") for each in types
    )
    code, out, err = sync(acme, text, "--yes")
    assert code == 0, err
    assert "15 to create" in out
    assert registered(acme) == types
    assert "15 to keep" in sync(acme, text, "--yes")[1]


def test_the_types_about_lists_are_registered_without_a_parameter(acme: Tenant, endpoint: Endpoint) -> None:
    code, _, err = sync(acme, entries(endpoint, *sorted(LIST_TYPES)), "--yes")
    assert code == 0, err


def test_a_sync_shows_its_plan_asks_and_carries_it_out(acme: Tenant, endpoint: Endpoint) -> None:
    text = entries(endpoint, "person_added", "person_updated")
    code, out, err = sync(acme, text, stdin="y\n")
    assert code == 0, err
    assert "2 to create, 0 to update, 0 to cancel, 0 to keep" in out
    assert "the endpoint answers 403" in out
    assert "its key is not in the companies file" in out
    assert "Carry this out?" in err
    assert "done: 2 changed" in out
    assert registered(acme) == ["person_added", "person_updated"]

    code, out, _ = sync(acme, text)
    assert code == 0
    assert "2 to keep" in out
    assert "done: 0 changed" in out


def test_a_sync_that_is_not_agreed_to_changes_nothing(acme: Tenant, endpoint: Endpoint) -> None:
    for answer in ("n\n", ""):
        code, _, err = sync(acme, entries(endpoint, "person_added"), stdin=answer)
        assert code == 1
        assert "nothing was changed (--yes carries a plan out without asking)" in err
    assert registered(acme) == []


def test_a_dry_run_changes_nothing(acme: Tenant, endpoint: Endpoint) -> None:
    code, out, _ = sync(acme, entries(endpoint, "person_added"), "--dry-run")
    assert code == 0
    assert "nothing was changed: a dry run" in out
    assert registered(acme) == []


def test_a_changed_key_updates_the_registration_in_place(acme: Tenant, endpoint: Endpoint) -> None:
    text = entries(endpoint, "person_added")
    sync(acme, text, "--yes")
    (before,) = acme.json("callbacks", "list")
    code, out, _ = sync(acme, text, "--yes", key="the-next-key-nobody-may-see")
    assert code == 0
    assert f"url was {before['url']}" in out
    (after,) = acme.json("callbacks", "list")
    assert after["callback_id"] == before["callback_id"]
    assert after["key_sha256"] == hashlib.sha256(b"the-next-key-nobody-may-see").hexdigest()


def test_a_sync_in_json_tells_each_step(acme: Tenant, endpoint: Endpoint) -> None:
    sync(acme, entries(endpoint, "person_added", "person_updated"), "--yes")
    text = entries(endpoint, "person_added", more='method = "PUT"') + entries(endpoint, "device_added").replace(
        "url", 'parameters = { app_id = "app" }\nurl'
    )
    code, out, _ = sync(acme, text, "--yes", "--prune", "--json")
    plan = json.loads(out)
    assert (code, plan["applied"], plan["ok"]) == (0, True, True)
    assert [(step["action"], step["callback_type"], step["changes"]) for step in plan["steps"]] == [
        ("update", "person_added", ["method"]),
        ("create", "device_added", []),
        ("cancel", "person_updated", []),
    ]
    assert registered(acme) == ["device_added", "person_added"]


def test_json_leaves_no_room_for_a_question(acme: Tenant, endpoint: Endpoint) -> None:
    code, _, err = sync(acme, entries(endpoint, "person_added"), "--json")
    assert code == 2
    assert "add --yes or --dry-run" in err


def test_what_is_not_in_the_file_stays_unless_pruned(acme: Tenant, endpoint: Endpoint) -> None:
    sync(acme, entries(endpoint, "person_added", "person_updated"), "--yes")
    _, out, _ = sync(acme, entries(endpoint, "person_added"), "--yes")
    assert "not in the file; --prune cancels it" in out
    assert registered(acme) == ["person_added", "person_updated"]
    sync(acme, entries(endpoint, "person_added"), "--yes", "--prune")
    assert registered(acme) == ["person_added"]


@pytest.mark.parametrize(
    ("path", "said"), [("/nothing/${ENDPOINT_KEY}", "answers 404"), ("/moved/${ENDPOINT_KEY}", "redirects (301)")]
)
def test_an_endpoint_that_is_not_live_stops_the_whole_sync(
    acme: Tenant, endpoint: Endpoint, path: str, said: str
) -> None:
    text = entries(endpoint, "person_added") + entries(endpoint, "person_updated", path=path)
    code, out, err = sync(acme, text, "--yes")
    assert code == 1
    assert f"NOT LIVE: {said}" in out
    assert "1 URL(s) are not live" in err
    assert registered(acme) == []


def test_an_endpoint_where_nobody_listens_is_not_live(acme: Tenant) -> None:
    text = '[[registrations]]\ncallback_type = "person_added"\nurl = "http://127.0.0.1:1/callbacks/${ENDPOINT_KEY}"'
    code, out, _ = sync(acme, text, "--yes", "--json")
    plan = json.loads(out)
    assert (code, plan["ok"], plan["applied"]) == (1, False, False)
    assert plan["steps"][0]["note"].startswith("NOT LIVE: no connection")


def test_an_endpoint_that_is_there_but_ill_counts_as_live(acme: Tenant, endpoint: Endpoint) -> None:
    code, out, _ = sync(acme, entries(endpoint, "person_added", path="/ill/${ENDPOINT_KEY}"), "--yes")
    assert code == 0
    assert "the endpoint answers 503" in out


def test_a_step_vibes_refuses_is_told_and_nothing_is_cancelled(acme: Tenant, endpoint: Endpoint) -> None:
    """The 51st URL is refused; what is there is not ended while something is missing."""
    acme.json("callbacks", "register", "person_updated", "--url", url_of(endpoint, "old"), "--allow-insecure")
    text = "".join(entries(endpoint, "person_added", path=f"/callbacks/${{ENDPOINT_KEY}}{n}") for n in range(50))
    code, _, err = sync(acme, text, "--yes", "--prune")
    assert code == 1
    assert "not everything was done" in err
    assert 'refused by Vibes (422) (Vibes says: "At most 50 endpoints can be registered")' in err
    assert "cancel person_updated" in err
    assert "left, because another step failed" in err
    assert registered(acme) == ["person_added"] * 49 + ["person_updated"]


def test_a_sync_that_trouble_interrupted_goes_on_where_it_was(acme: Tenant, endpoint: Endpoint) -> None:
    text = entries(endpoint, "person_added", "person_updated")
    acme.control("PUT", "faults", {"reset_rate": 1.0})
    try:
        assert sync(acme, text, "--yes")[0] == 1
    finally:
        acme.control("PUT", "faults", {"reset_rate": 0.0})
    assert sync(acme, text, "--yes")[0] == 0
    assert registered(acme) == ["person_added", "person_updated"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[registrations]]\ncallback_type = 1", "entry 1 (1): callback_type 1 is none of the 17 types"),
        ("registrations = ", "is not TOML"),
        ("", "must hold [[registrations]]"),
        (
            '[[registrations]]\ncallback_type = "person_added"\nurl = "https://example.com/x"',
            "placeholder host example.com",
        ),
    ],
)
def test_a_file_with_a_mistake_is_refused(acme: Tenant, text: str, problem: str) -> None:
    result = acme.run("callbacks", "sync", acme.file(text), "--yes")
    assert result.returncode == 2
    assert problem in result.stderr
    assert "registrations.toml" in result.stderr
