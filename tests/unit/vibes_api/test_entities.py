"""Entities are read in every spelling Vibes has been seen to use."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibes_api.callbacks import CallbackSpec, CallbackType, Registration
from vibes_api.campaigns import AcquisitionCampaign
from vibes_api.participants import Participation
from vibes_api.persons import Person
from vibes_api.subscriptions import Subscription
from vibes_api.values import ShapeError, as_objects, text

PERSON: dict[str, Any] = {
    "person_key": "c5235a1-e243-42z7-979c-7f6234kl21b60",
    "person_id": "12344566",
    "external_person_id": "542342",
    "mobile_phone": {"mdn": "+12995551234", "carrier_code": "104"},
    "timezone": "US/Central",
    "timezone_source": "area_code",
    "custom_fields": {
        "first_name": "Steve",
        "gender": {"id": None, "name": "Male"},
        "stores": [],
        "zip": None,
    },
    "created_at": "2017-01-15T14:30Z",
    "updated_at": "2017-02-18T19:30Z",
    "url": "/companies/:company_key/mobiledb/persons/:person_id",
    "something_new": {"kept": True},
}


def test_a_person_is_read_with_its_unknown_fields_kept() -> None:
    person = Person.from_json(PERSON)

    assert person.person_key == "c5235a1-e243-42z7-979c-7f6234kl21b60"
    assert (person.mdn, person.carrier_code) == ("+12995551234", "104")
    assert person.custom_fields == PERSON["custom_fields"]
    assert (person.created_at, person.updated_at) == ("2017-01-15T14:30Z", "2017-02-18T19:30Z")
    assert person.raw["something_new"] == {"kept": True}


def test_other_spellings_and_numbers_as_ids_are_understood() -> None:
    person = Person.from_json(
        {"id": 9007199254740993, "external_id": 77, "mobile_phone": {"mdn": 2995551234, "carrier_id": 104}}
    )

    assert person.person_id == "9007199254740993"
    assert person.external_person_id == "77"
    assert (person.mdn, person.carrier_code) == ("2995551234", "104")


@pytest.mark.parametrize(
    "bare",
    [
        {},
        {"person_key": None, "mobile_phone": None, "custom_fields": None},
        {"person_key": "", "mobile_phone": "?", "custom_fields": [], "external_person_id": {"a": 1}},
        {"person_key": True, "mobile_phone": {"mdn": ""}, "person_id": 1.5},
    ],
)
def test_missing_null_blank_or_odd_fields_count_as_absent(bare: dict[str, Any]) -> None:
    person = Person.from_json(bare)

    assert (person.person_key, person.person_id, person.external_person_id) == (None, None, None)
    assert (person.mdn, person.custom_fields) == (None, {})


def test_the_repr_of_a_person_holds_no_personal_data() -> None:
    shown = repr(Person.from_json(PERSON))

    assert "c5235a1" in shown
    for secret in ("2995551234", "542342", "Steve", "Central"):
        assert secret not in shown


@pytest.mark.parametrize("odd", [None, [], "text", 5, True])
def test_a_person_that_is_no_object_is_refused(odd: Any) -> None:
    with pytest.raises(ShapeError, match="expected a JSON object"):
        Person.from_json(odd)


@given(
    st.dictionaries(
        st.sampled_from(sorted(PERSON)),
        st.none() | st.text() | st.floats(allow_nan=False) | st.lists(st.none()),
    )
)
def test_no_object_is_too_odd_to_be_a_person(source: dict[str, Any]) -> None:
    assert Person.from_json(source).raw == source


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "x"),
        (1151, "1151"),
        (-3, "-3"),
        (12.0, "12"),
        (1.8446744073709552e19, None),
        (False, None),
        ([], None),
    ],
)
def test_ids_become_text_only_when_no_digit_is_lost(value: Any, expected: str | None) -> None:
    assert text(value) == expected


@pytest.mark.parametrize("value", ["text", 3, ["text"], [[]]])
def test_a_list_of_anything_but_objects_is_refused(value: Any) -> None:
    with pytest.raises(ShapeError):
        as_objects(value)


def test_a_registration_as_really_seen_is_read() -> None:
    registration = Registration.from_json(
        {
            "callback_id": 1151,
            "event_type": "wallet_item_install",
            "wallet_item_install": {"campaign_token": "osdmeh"},
            "destination": {"url": "https://h/secret", "method": "POST", "content_type": "application/json"},
            "start_date": "2020-08-23T16:45:49Z",
            "created_date": "2020-08-23T16:45:50Z",
            "updated_at": "2020-08-23T16:45:51Z",
        }
    )

    assert (registration.callback_id, registration.callback_type) == ("1151", "wallet_item_install")
    assert registration.parameters == {"campaign_token": "osdmeh"}
    assert (registration.created_at, registration.updated_at) == (
        "2020-08-23T16:45:50Z",
        "2020-08-23T16:45:51Z",
    )
    assert registration.end_date is None
    assert registration.destination_url == "https://h/secret"
    assert "secret" not in repr(registration)


def test_a_spec_sends_its_parameters_under_the_name_of_its_own_type() -> None:
    spec = CallbackSpec(
        callback_type=CallbackType.SUBSCRIPTION_REMOVED,
        url="https://h/secret",
        parameters={"list_id": "1234"},
        start_date="2017-01-01T00:00Z",
    )

    assert spec.to_json() == {
        "callback_type": "subscription_removed",
        "subscription_removed": {"list_id": "1234"},
        "destination": {"url": "https://h/secret", "method": "POST", "content_type": "application/json"},
        "start_date": "2017-01-01T00:00Z",
    }
    assert "secret" not in repr(spec)


def test_empty_parameters_are_sent_and_absent_ones_are_not() -> None:
    def body(parameters: dict[str, str] | None) -> dict[str, Any]:
        return CallbackSpec(callback_type="event_processed", url="https://h", parameters=parameters).to_json()

    assert body({})["event_processed"] == {}
    assert "event_processed" not in body(None)


def test_a_url_longer_than_vibes_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="1025 characters; Vibes takes 1024"):
        CallbackSpec(callback_type="person_added", url="x" * 1025)


def test_all_documented_callback_types_are_there() -> None:
    assert len(CallbackType) == 17


def test_a_subscription_is_read() -> None:
    stay = Subscription.from_json(
        {
            "person": {"id": "ABC123", "url": "/x"},
            "subscription_list": {"id": 1234},
            "opt_in_date": "2017-01-15T15:34:52Z",
            "opt_out_date": None,
            "opt_out_reason": "a_new_reason",
        }
    )

    assert (stay.list_id, stay.person_id, stay.opt_out_date) == ("1234", "ABC123", None)
    assert stay.opt_out_reason == "a_new_reason"


def test_a_participation_is_read_with_its_blank_date_absent() -> None:
    participation = Participation.from_json(
        {"person": {"person_id": 5, "person_key": "k"}, "participation_date": "", "status": "Pending"}
    )

    assert (participation.status, participation.person_id, participation.person_key) == ("PENDING", "5", "k")
    assert participation.participation_date is None


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [(["JOIN", "GO"], ("JOIN", "GO")), ("JOIN", ("JOIN",)), (None, ()), ([None], ())],
)
def test_a_campaign_is_read_with_its_status_in_lower_case(keywords: Any, expected: tuple[str, ...]) -> None:
    campaign = AcquisitionCampaign.from_json(
        {"acquisition_id": "C1", "status": "Active", "acquisition_campaign": {"keywords": keywords}}
    )

    assert (campaign.acquisition_id, campaign.status, campaign.keywords) == ("C1", "active", expected)
