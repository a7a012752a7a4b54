"""Which column is which field."""

from typing import Any

import pytest

from cli.persons.importing.columns import (
    ColumnMap,
    CsvRecords,
    Empty,
    NdjsonRecords,
    Unmapped,
    read_pairs,
    read_table,
)
from schemas.errors import ConfigurationError, MessageError

ID = "external_person_id"


def records(header: str, given: dict[str, str] | None = None, **options: Any) -> CsvRecords:
    empty = options.pop("empty", Empty.KEEP)
    return CsvRecords(header.split(","), ColumnMap(given or {}, **options), empty)


def test_columns_named_like_fields_are_those_fields() -> None:
    make = records(f"{ID},mdn,carrier_code,updated_at,custom_fields.first name")
    assert make(["c1", "+1", "104", "2026-01-01", "Anna"]) == {
        ID: "c1",
        "mdn": "+1",
        "carrier_code": "104",
        "updated_at": "2026-01-01",
        "custom_fields": {"first name": "Anna"},
    }
    assert make.unmapped == []


def test_a_mapping_wins_over_the_name() -> None:
    assert records("mdn,phone", {"mdn": ID, "phone": "mdn"})(["c1", "+1"]) == {ID: "c1", "mdn": "+1"}


def test_columns_that_are_no_field_are_named_and_left_out() -> None:
    make = records(f"{ID},City,,custom_fields.")
    assert make.unmapped == ["City", "(column 3)", "custom_fields."]
    assert make(["c1", "Rome", "x", "y"]) == {ID: "c1"}


def test_columns_that_are_no_field_can_be_custom_fields() -> None:
    make = records(f"{ID},City", unmapped=Unmapped.CUSTOM_FIELD)
    assert make(["c1", "Rome"]) == {ID: "c1", "custom_fields": {"City": "Rome"}}
    assert make.unmapped == []


@pytest.mark.parametrize("blank", ["", " ", "\t\u00a0"])
def test_an_empty_cell_is_left_out_or_removes(blank: str) -> None:
    cells = ["c1", blank, blank]
    assert records(f"{ID},mdn,custom_fields.a")(cells) == {ID: "c1"}
    removed = {ID: "c1", "mdn": None, "custom_fields": {"a": None}}
    assert records(f"{ID},mdn,custom_fields.a", empty=Empty.REMOVE)(cells) == removed


@pytest.mark.parametrize("cells", [["c1"], ["c1", "a", "b"]])
def test_a_row_of_another_width_is_refused(cells: list[str]) -> None:
    with pytest.raises(MessageError, match=f"^wrong_number_of_cells: {len(cells)}, the header has 2$"):
        records(f"{ID},mdn")(cells)


@pytest.mark.parametrize(
    ("header", "given", "problem"),
    [
        ("id,City of birth", {}, f"no column is {ID}: the header has id, City of birth"),
        ("c1,+13125550123,Smith", {}, "the first line looks like data"),
        ("17,Smith", {}, "the first line looks like data"),
        ("Smith,smith@example.com", {}, "the first line looks like data"),
        ("Smith,1990-12-31", {}, "the first line looks like data"),
        (f"{ID},City,City", {}, "has City more than once"),
        (f"{ID},mdn", {"Fax": "mdn"}, "mapped, but not in the header: Fax"),
        (f"{ID},mdn,Phone", {"Phone": "mdn"}, "two columns are mapped to mdn"),
    ],
)
def test_a_header_that_does_not_fit_is_told(header: str, given: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        records(header, given)
    assert problem in str(told.value)
    assert "Smith" not in str(told.value)


def test_pairs_split_at_the_last_equals_sign() -> None:
    assert read_pairs(["a=b=mdn", "Name=custom_fields.x.y"]) == {"a=b": "mdn", "Name": "custom_fields.x.y"}


@pytest.mark.parametrize("pair", ["mdn", "=mdn", "a=", "a=phone", "a=custom_fields."])
def test_a_pair_that_maps_nothing_is_told_with_an_example(pair: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--map .*Example: --map CUSTOMER_NO=external_person_id"):
        read_pairs([pair])


def test_one_column_can_not_be_two_fields() -> None:
    with pytest.raises(ConfigurationError, match="mapped twice"):
        read_pairs(["a=mdn", "a=updated_at"])


def test_a_table_is_columns_and_fields() -> None:
    assert read_table({"columns": {"Customer No": ID}}, "map.toml") == {"Customer No": ID}
    for wrong in ({}, {"columns": 1}, {"columns": {"a": 1}}, {"columns": {}, "more": 1}, {"columns": {"a": "phone"}}):
        with pytest.raises(ConfigurationError, match=r"^map.toml: "):
            read_table(wrong, "map.toml")


def test_objects_stay_as_they_are_without_a_mapping() -> None:
    record = {ID: "c1", "mdn": None, "custom_fields": {"a": ["x"]}, "city": "Rome"}
    assert NdjsonRecords(ColumnMap())(record) == record
    assert NdjsonRecords(ColumnMap())(["no object"]) == ["no object"]


def test_names_of_objects_can_be_mapped_ignored_and_made_custom_fields() -> None:
    record = {"id": "c1", "city": "Rome", "custom_fields": {"a": 1}, "custom_fields.b": 2}
    given = {"id": ID}
    assert NdjsonRecords(ColumnMap(given, Unmapped.IGNORE))(record) == {ID: "c1", "custom_fields": {"a": 1, "b": 2}}
    as_custom = NdjsonRecords(ColumnMap(given, Unmapped.CUSTOM_FIELD))(record)
    assert as_custom == {ID: "c1", "custom_fields": {"a": 1, "b": 2, "city": "Rome"}}


@pytest.mark.parametrize("record", [{"phone": "+1", "mdn": "+2"}, {"custom_fields": {"a": 1}, "custom_fields.a": 2}])
def test_an_object_that_tells_a_field_twice_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match=r"^field_twice: "):
        NdjsonRecords(ColumnMap({"phone": "mdn"}))(record)
