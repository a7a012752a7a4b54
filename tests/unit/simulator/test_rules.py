"""Registrations, routing, the rate limit, faults, and the settings of the control API."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from simulator.config import DeliveryPolicy, FaultSettings
from simulator.errors import UnknownRecordError, UnprocessableError
from simulator.events import Event, Kind
from simulator.faults import WRONG_BODIES, Fault, Faults
from simulator.ledger import Ledger
from simulator.limits import SlidingSecond
from simulator.model import JsonObject
from simulator.registrations import Registrations
from simulator.router import Router
from simulator.runs import RunSpec
from simulator.seeds import seeded
from simulator.settings import read

NOW = datetime(2025, 3, 3, 8, 0, tzinfo=UTC)
URL = "https://example.com/callbacks/one"


def removed(list_id: str = "1234", url: str = URL, **others: object) -> JsonObject:
    return {
        "callback_type": "subscription_removed",
        "subscription_removed": {"list_id": list_id},
        "destination": {"url": url},
        **others,
    }


def test_a_registration_fires_for_its_type_and_list_from_start_to_end() -> None:
    registrations = Registrations()
    registrations.register(removed(start_date="2025-03-04T00:00Z", end_date="2025-03-05T00:00Z"), 2, NOW)

    def urls(list_id: str, days: int) -> list[str]:
        found = registrations.destinations("subscription_removed", list_id, NOW + timedelta(days=days))
        return [destination.url for destination in found]

    assert urls("1234", 1) == [URL]
    assert urls("1234", 0) == urls("1234", 2) == urls("9", 1) == []
    assert len(registrations.listed(NOW)) == 1


def test_a_cancelled_registration_is_known_but_neither_listed_nor_fired() -> None:
    registrations = Registrations()
    callback_id = str(registrations.register(removed(), 2, NOW).callback_id)
    registrations.cancel(callback_id, NOW)

    assert registrations.listed(NOW) == []
    assert registrations.destinations("subscription_removed", "1234", NOW) == []
    assert registrations.get(callback_id).end_date == NOW
    with pytest.raises(UnknownRecordError):
        registrations.get("no number")


@pytest.mark.parametrize(
    "body",
    [
        {},
        removed() | {"callback_type": "no_such_type"},
        {"callback_type": "subscription_removed", "destination": {"url": URL}},
        removed(url="ftp://example.com"),
        removed(url="https://example.com/" + "x" * 1024),
        removed() | {"destination": {"url": URL, "method": "GET"}},
        removed(start_date="tomorrow"),
        removed(start_date="2025-03-05", end_date="2025-03-04"),
    ],
)
def test_what_cannot_be_registered(body: JsonObject) -> None:
    with pytest.raises(UnprocessableError):
        Registrations().register(body, 2, NOW)


def test_the_same_callback_may_go_to_another_url_but_not_twice_to_one() -> None:
    registrations = Registrations()
    registrations.register(removed(), 2, NOW)
    registrations.register(removed(url=URL + "/second"), 2, NOW)
    registrations.register(removed(list_id="5"), 2, NOW)
    with pytest.raises(UnprocessableError):
        registrations.register(removed(), 2, NOW)
    assert len(registrations.destinations("subscription_removed", "1234", NOW)) == 2


def test_the_parameter_object_may_be_named_after_the_first_type_of_the_family() -> None:
    body = {
        "event_type": "wallet_item_remove",
        "wallet_item_install": {"campaign_token": "osdmeh"},
        "destination": {"url": URL},
    }
    entity = Registrations().register(body, 2, NOW).entity("acme")
    assert entity["wallet_item_remove"] == {"campaign_token": "osdmeh"}
    assert isinstance(entity["callback_id"], int)


def test_the_api_version_of_a_registration_decides_the_notation_of_numbers() -> None:
    registrations = Registrations()
    registration = registrations.register({"callback_type": "person_added", "destination": {"url": URL}}, 1, NOW)
    router = Router(None, registrations, Ledger("acme"))
    body = orjson.dumps({"person": {"mobile_phone": {"mdn": "+12995551234"}}})
    event = Event(Kind.EVENT, "person_added", "1", body, fact="person_added")

    (callback,) = router.callbacks(event, NOW)
    assert orjson.loads(callback.body())["person"]["mobile_phone"]["mdn"] == "2995551234"

    update = {"callback_type": "person_added", "destination": {"url": URL}}
    registrations.update(str(registration.callback_id), update, 2, NOW)
    (callback,) = router.callbacks(event, NOW)
    assert callback.body() == body


def test_an_event_without_any_destination_is_not_in_the_ledger() -> None:
    ledger = Ledger("acme")
    event = Event(Kind.EVENT, "person_added", "1", b"{}", fact="person_added")
    assert Router(None, Registrations(), ledger).callbacks(event, NOW) == []
    assert len(ledger) == 0


def test_the_company_url_gets_both_methods_and_both_content_types() -> None:
    router = Router(URL, Registrations(), Ledger("acme"))
    events = [Event(Kind.EVENT, name, "1", b"{}", fact=name) for name in ("person_updated", "subscription_removed")]
    put, text = (router.callbacks(event, NOW)[0].destination for event in events)
    assert (put.method, put.content_type) == ("PUT", "application/json")
    assert (text.method, text.content_type) == ("POST", "text/json")


def test_no_second_has_more_calls_than_the_limit() -> None:
    limit = SlidingSecond(3)
    admitted = [now for now in (0.0, 0.125, 0.25, 0.75, 0.875, 1.0, 1.125, 1.1875, 1.25) if limit.admit(now)]
    assert admitted == [0.0, 0.125, 0.25, 1.0, 1.125, 1.25]
    assert (limit.refused, limit.peak) == (3, 6)


def test_faults_come_at_their_rates_repeatably_and_never_when_switched_off() -> None:
    def drawn(settings: FaultSettings) -> list[Fault | None]:
        faults = Faults(settings, seeded(1))
        return [faults.draw().fault for _ in range(2_000)]

    settings = FaultSettings(0.1, too_many_requests_rate=0.2, hang_rate=0.3, reset_rate=0.1, wrong_body_rate=0.15)
    shares = {fault: drawn(settings).count(fault) / 2_000 for fault in Fault}
    assert shares == pytest.approx(
        {Fault.ERROR: 0.1, Fault.TOO_MANY_REQUESTS: 0.2, Fault.HANG: 0.3, Fault.RESET: 0.1, Fault.WRONG_BODY: 0.15},
        abs=0.03,
    )
    assert drawn(settings) == drawn(settings)
    assert set(drawn(FaultSettings())) == {None}


def test_wrong_bodies_are_of_all_kinds() -> None:
    faults = Faults(FaultSettings(wrong_body_rate=1), seeded(1))
    assert {faults.draw().body for _ in range(200)} == set(WRONG_BODIES)


@pytest.mark.parametrize("name", ["error_rate", "latency_rate", "wrong_body_rate"])
def test_a_rate_of_faults_is_a_chance(name: str) -> None:
    with pytest.raises(UnprocessableError, match=name):
        read(FaultSettings(), {name: 1.5})


def test_settings_are_read_by_name_and_type() -> None:
    policy = read(DeliveryPolicy(), {"max_attempts": 9, "timeout_seconds": 1, "retry_delays": [0.1, 2]})
    assert (policy.max_attempts, policy.timeout_seconds, policy.retry_delays) == (9, 1, (0.1, 2))
    assert read(RunSpec("acme"), {"rate": None, "documented": True, "delivery": {"a": 1}}).documented


@pytest.mark.parametrize(
    "given",
    [
        {"callback": 5},
        {"callbacks": "5"},
        {"callbacks": True},
        {"documented": 1},
        {"rate": "fast"},
        {"delivery": []},
        {"duplicate_ratio": 2},
        {"persons": 0},
        {"rate": 0},
        {"callbacks": -1},
    ],
)
def test_a_wrong_setting_is_named(given: JsonObject) -> None:
    with pytest.raises(UnprocessableError, match=next(iter(given))):
        read(RunSpec("acme"), given)
