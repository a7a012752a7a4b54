"""How ids get into addresses and values into bodies."""

from __future__ import annotations

import json
from types import MappingProxyType
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibes_api import routes
from vibes_api.bodies import decode_body, encode_body

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda value: value.strip() and value not in (".", "..")
)


@given(ids)
def test_an_external_id_stays_one_segment_and_means_the_same_when_decoded(external_id: str) -> None:
    path = routes.target(routes.GET_PERSON_BY_EXTERNAL_ID, {"external_person_id": external_id}, {})

    segment = path.removeprefix("/mobiledb/persons/external/")
    assert not set(segment) & set("/?#+ &=;:@")
    assert unquote(segment) == external_id


def test_the_plus_of_an_mdn_is_encoded() -> None:
    address = routes.target(routes.FIND_PERSONS, {}, {"mdn": "+12135551234"})

    assert address == "/mobiledb/persons?mdn=%2B12135551234"


@pytest.mark.parametrize("value", ["", " ", "\t\n", ".", "..", "lone \ud800 surrogate"])
def test_an_id_that_would_address_something_else_is_refused_without_being_repeated(value: str) -> None:
    with pytest.raises(ValueError, match=r"^person_key is") as refusal:
        routes.target(routes.GET_PERSON, {"person_key": value}, {})

    assert "surrogate" not in str(refusal.value)


def test_labels_are_templates_without_company_and_ids() -> None:
    assert routes.UPDATE_PERSON_BY_EXTERNAL_ID.label == "PUT /persons/external/{external_person_id}"
    assert routes.REGISTER_CALLBACK.label == "POST /config/callbacks/"


def test_only_calls_that_would_do_harm_twice_are_not_repeatable() -> None:
    every = [value for value in vars(routes).values() if isinstance(value, routes.Route)]

    assert [route for route in every if not route.repeatable] == [
        routes.REGISTER_CALLBACK,
        routes.TEST_CALLBACK,
    ]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_would_turn_into_a_removal_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="NaN or an infinity"):
        encode_body({"custom_fields": {"points": [1, {"deep": number}]}})


@pytest.mark.parametrize("value", ["\ud800", 2**70, object(), {1: 2}])
def test_what_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        encode_body({"field": value})  # type: ignore[dict-item] # the point of the test


def test_a_value_that_holds_itself_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(ValueError, match="cannot be written as JSON"):
        encode_body(endless)  # type: ignore[arg-type] # the point of the test


def test_read_only_mappings_and_tuples_are_written_like_dicts_and_lists() -> None:
    assert json.loads(encode_body(MappingProxyType({"a": (1, None, "ü")}))) == {"a": [1, None, "ü"]}


@pytest.mark.parametrize("body", [b"", b"  \r\n", b"\xef\xbb\xbf"])
def test_an_empty_body_holds_nothing(body: bytes) -> None:
    assert decode_body(body) is None


def test_a_byte_order_mark_is_tolerated() -> None:
    assert decode_body(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


def test_a_broken_body_is_reported_without_its_content() -> None:
    with pytest.raises(ValueError, match=r"^the body is not JSON$") as refusal:
        decode_body(b'{"mdn": "+12135551234"')

    assert refusal.value.__context__ is None
