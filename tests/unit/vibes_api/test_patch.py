"""A patch tells 'leave it' from 'remove it'."""

from __future__ import annotations

from typing import Any

import pytest

from vibes_api import UNSET, PersonPatch


@pytest.mark.parametrize(
    ("patch", "body"),
    [
        (PersonPatch(), {}),
        (PersonPatch(external_person_id=UNSET), {}),
        (PersonPatch(external_person_id="EXT1"), {"external_person_id": "EXT1"}),
        (PersonPatch(external_person_id=None), {"external_person_id": None}),
        (PersonPatch(external_person_id=""), {"external_person_id": ""}),
        (PersonPatch(mdn="+12135551234"), {"mobile_phone": {"mdn": "+12135551234"}}),
        (PersonPatch(mdn=None), {"mobile_phone": {"mdn": None}}),
        (PersonPatch(carrier_code="104"), {"mobile_phone": {"carrier_code": "104"}}),
        (PersonPatch(timezone="US/Central"), {"timezone": "US/Central"}),
        (PersonPatch(custom_fields={"zip": None, "n": "x"}), {"custom_fields": {"zip": None, "n": "x"}}),
    ],
)
def test_omitted_fields_are_absent_and_none_becomes_null(patch: PersonPatch, body: dict[str, Any]) -> None:
    assert patch.to_json() == body
    assert patch.is_empty is (body == {})


@pytest.mark.parametrize(
    "ignored",
    ["person_id", "person_key", "timezone_source", "created_at", "updated_at"],
)
def test_fields_that_vibes_ignores_cannot_be_sent(ignored: str) -> None:
    arguments: dict[str, Any] = {ignored: "x"}

    with pytest.raises(TypeError, match=ignored):
        PersonPatch(**arguments)


def test_nullification_is_the_documented_erasure_body() -> None:
    assert PersonPatch.nullification(["first_name", "zip"]).to_json() == {
        "external_person_id": None,
        "mobile_phone": {"mdn": None, "carrier_code": None},
        "custom_fields": {"first_name": None, "zip": None},
    }


def test_the_repr_names_fields_and_hides_values() -> None:
    patch = PersonPatch(external_person_id=None, mdn="+12135551234", custom_fields={"first_name": "Steve"})

    assert repr(patch) == "PersonPatch(external_person_id=None, mdn=..., custom_fields=<1>)"
    assert repr(UNSET) == "UNSET"
