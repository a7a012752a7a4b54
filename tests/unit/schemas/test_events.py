import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.callbacks.events import Event, read_event
from schemas.callbacks.types import CallbackType
from schemas.errors import MessageError
from schemas.facts import BEGINNING, Profile, Sighting, Stay
from tests.support.bodies import documented_bodies, encoded, person_body, subscription_body


def reason_of(body: bytes) -> str:
    with pytest.raises(MessageError) as caught:
        read_event("acme", body)
    return caught.value.reason


def event_or_reason(body: bytes) -> Event | str:
    """Read a body in the only two ways reading may end."""
    try:
        return read_event("acme", body)
    except MessageError as error:
        return error.reason


def test_every_documented_body_is_read_as_it_is() -> None:
    events = [read_event("acme", body) for body in documented_bodies()]
    assert [event.callback_type for event in events] == [
        CallbackType.SUBSCRIPTION_ADDED,
        CallbackType.SUBSCRIPTION_REMOVED,
        CallbackType.PERSON_ADDED,
        CallbackType.ACK_PARTICIPANT_ADDED,
        CallbackType.DEVICE_ADDED,
        CallbackType.SUBSCRIPTION_LIST_ADDED,
        CallbackType.UNMATCHED_MESSAGE_RECEIVED,
        CallbackType.WALLET_ITEM_INSTALL,
        CallbackType.EVENT_PROCESSED,
    ]
    assert len({event.key for event in events}) == len(events), "one event_id over many types must not collide"


@pytest.mark.parametrize("callback_type", CallbackType)
def test_each_of_the_17_types_is_read_even_without_any_payload_unless_it_tells_of_state(
    callback_type: CallbackType,
) -> None:
    body = encoded({"event_id": "e", "callback_type": callback_type.value})
    if callback_type.value.startswith("subscription_") and "list" not in callback_type.value:
        assert reason_of(body) == "missing_subscription"
    elif callback_type.value.startswith("person_"):
        assert reason_of(body) == "missing_person"
    else:
        assert read_event("acme", body).callback_type is callback_type


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "not_json"),
        (b"{'a': 1}", "not_json"),
        (b"NaN", "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b'"\\ud800"', "not_json"),
        (b"[" * 100_000 + b"]" * 100_000, "not_json"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not_json"),
        (b"\xff\xfe{}", "not_utf8"),
        (b"[]", "not_an_object"),
        (b"17", "not_an_object"),
        (b"null", "not_an_object"),
        (b"{}", "no_type"),
        (b'{"callback_type": 5}', "no_type"),
        (b'{"callback_type": "from_the_future"}', "unknown_type"),
        (encoded(subscription_body(person={})), "missing_person"),
        (
            encoded(subscription_body(person={"external_id": "ex1", "mobile_phone": {"mdn": "+15551234567"}})),
            "missing_person",
        ),
        (encoded(subscription_body(list_id=None)), "missing_list"),
        (encoded({"callback_type": "subscription_added", "subscription": [1]}), "missing_subscription"),
        (encoded({**subscription_body(opt_in_date=None), "event_date": None}), "missing_date"),
    ],
)
def test_what_cannot_be_read_has_a_reason(body: bytes, reason: str) -> None:
    assert reason_of(body) == reason


@given(st.binary(max_size=200))
def test_no_bytes_make_reading_fail_in_another_way(body: bytes) -> None:
    assert event_or_reason(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    callback_type=st.sampled_from(CallbackType),
    name=st.sampled_from(
        ["subscription", "person", "participant", "push_device", "event_processed", "event_id", "event_date"]
    ),
    value=json_values,
    inner=st.sampled_from(
        ["person", "subscription_list", "id", "mobile_phone", "opt_in_date", "custom_fields", "person_id"]
    ),
)
def test_wrong_types_anywhere_never_make_reading_fail(
    callback_type: CallbackType, name: str, value: Any, inner: str
) -> None:
    body = {"callback_type": callback_type.value, "event_id": "e", name: {inner: value, "person_id": "P"}}
    for candidate in (body, {**body, name: value}):
        assert event_or_reason(json.dumps(candidate).encode())


def test_event_type_tells_the_type_where_callback_type_is_missing_but_never_the_customers_event_type() -> None:
    assert (
        read_event("acme", b'{"event_type": "wallet_item_install"}').callback_type is CallbackType.WALLET_ITEM_INSTALL
    )
    processed = b'{"event_processed": {"event_id": "x", "event_type": "day_of_delivery"}}'
    assert read_event("acme", processed).callback_type is CallbackType.EVENT_PROCESSED


def test_an_event_without_an_id_gets_the_same_one_at_every_attempt() -> None:
    first = read_event("acme", encoded({**subscription_body(event_id=None), "delivery_attempt": "1"}))
    again = read_event("acme", encoded({**subscription_body(event_id=None), "delivery_attempt": "2"}))
    assert first.event_id.startswith("sha256:")
    assert first.event_id == again.event_id


def test_white_space_and_key_order_make_no_variant_but_content_does() -> None:
    body = subscription_body()
    hashes = {
        read_event("acme", text.encode()).body.hash
        for text in (json.dumps(body), json.dumps(body, indent=2), json.dumps(dict(reversed(body.items()))))
    }
    assert len(hashes) == 1
    assert read_event("acme", encoded(subscription_body(list_id="L2"))).body.hash not in hashes


def test_a_number_too_long_for_a_float_keeps_all_its_digits_as_an_id() -> None:
    body = b'{"callback_type":"person_added","event_id":"e","person":{"person_id":12345678901234567890123456789}}'
    assert read_event("acme", body).person_id == "12345678901234567890123456789"


def test_nul_characters_are_replaced_for_postgres_and_the_body_is_no_longer_exact() -> None:
    event = read_event("acme", b'{"callback_type":"person_added","event_id":"e","person":{"person_id":"a\\u0000b"}}')
    assert event.person_id == "a\ufffdb"
    assert "\\u0000" not in event.body.text
    assert not event.body.exact


def test_a_byte_order_mark_is_tolerated() -> None:
    assert read_event("acme", b"\xef\xbb\xbf" + encoded(person_body())).event_id == "e1"


def test_compressed_bodies_are_read_up_to_a_bound() -> None:
    body = encoded(person_body())
    assert read_event("acme", gzip.compress(body), content_encoding="gzip").event_id == "e1"
    for packed, encoding in ((b"junk", "gzip"), (gzip.compress(b" " * 20_000_000), "gzip"), (body, "br")):
        with pytest.raises(MessageError, match="bad_encoding"):
            read_event("acme", packed, content_encoding=encoding)


def test_either_spelling_of_the_ids_is_read() -> None:
    old = read_event("acme", encoded(subscription_body(person={"id": 7, "external_id": "ex"})))
    new = read_event("acme", encoded(subscription_body(person={"person_id": "7", "external_person_id": "ex"})))
    assert (old.person_id, old.external_person_id) == (new.person_id, new.external_person_id) == ("7", "ex")


def test_an_opt_in_tells_a_sighting_and_the_beginning_of_a_stay() -> None:
    event = read_event("acme", encoded(subscription_body(person={"id": "P1", "mobile_phone": {"mdn": "+15551234567"}})))
    sighting, stay = event.facts
    assert isinstance(sighting, Sighting)
    assert sighting.mdn == "+15551234567"
    assert isinstance(stay, Stay)
    assert stay.opt_in is not None
    assert stay.opt_out is None


def test_an_opt_out_that_tells_no_beginning_is_kept_as_an_end_of_every_earlier_stay() -> None:
    event = read_event("acme", encoded(subscription_body("removed", opt_in_date="not a date")))
    stay = event.facts[1]
    assert isinstance(stay, Stay)
    assert stay.opt_in_date == BEGINNING
    assert stay.opt_out is not None


def test_a_person_event_tells_the_whole_profile() -> None:
    body = person_body(custom_fields={"a": [1, {"b": None}]}, mobile_phone={"mdn": "2995551234", "carrier_code": 104})
    (profile,) = read_event("acme", encoded(body), default_country="US").facts
    assert isinstance(profile, Profile)
    assert (profile.mdn, profile.mdn_e164, profile.carrier_code) == ("2995551234", "+12995551234", "104")
    assert profile.custom_fields == {"a": [1, {"b": None}]}


def test_an_id_in_a_customers_own_event_data_is_nobodys_person_id() -> None:
    body = {"event_data": {"id": "order-17", "external_person_id": "ex1"}, "action": {"status_reason": "sent"}}
    event = read_event("acme", encoded({"event_id": "e", "event_processed": body}))
    assert (event.person_id, event.external_person_id, event.reason) == (None, "ex1", "sent")
