"""How a value the CRM sends is written to Vibes."""

from typing import Any

import pytest

from schemas.custom_fields import FieldType, written_form
from schemas.errors import MessageError

CHOICE = {"id": None, "name": "Male", "option_key": "male"}


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("text", "Steve", "Steve"),
        ("text", 12, "12"),
        ("text", 1.5, "1.5"),
        ("text", True, "true"),
        ("text", CHOICE, CHOICE),
        ("text", ["a", CHOICE], ["a", CHOICE]),
        ("date", "1990-12-01", "1990-12-01T00:00:00Z"),
        ("date", "1990-12-01T00:00:00z", "1990-12-01T00:00:00Z"),
        ("date", "2020-08-23T21:38:05.258+01:00", "2020-08-23T20:38:05Z"),
        ("select", "male", "male"),
        ("select", 4, "4"),
        ("select", CHOICE, CHOICE),
        ("multi_select", ["a", 4, CHOICE], ["a", "4", CHOICE]),
        ("multi_select", "a; b ;", ["a", "b"]),
        ("multi_select", [], []),
    ],
)
def test_each_kind_has_its_form(kind: FieldType, value: Any, written: Any) -> None:
    assert written_form(value, kind) == written


@pytest.mark.parametrize("kind", ["text", "date", "select", "multi_select"])
@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_nothing_removes_the_field(kind: FieldType, nothing: Any) -> None:
    assert written_form(nothing, kind) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", {"street": "Main"}),
        ("text", [["nested"]]),
        ("date", "soon"),
        ("date", 19901201),
        ("select", True),
        ("select", ["a"]),
        ("select", {}),
        ("select", {"id": {"deep": 1}}),
        ("multi_select", 4),
        ("multi_select", [None]),
    ],
)
def test_a_value_of_another_kind_is_refused_without_being_quoted(kind: FieldType, value: Any) -> None:
    with pytest.raises(MessageError) as refused:
        written_form(value, kind)
    assert refused.value.reason == "invalid_custom_field"
    assert "soon" not in refused.value.detail
