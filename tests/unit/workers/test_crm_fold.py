"""How changes of the CRM add up to a record, whatever their order."""

from datetime import UTC, datetime, timedelta, timezone
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.crm_change import CrmChange
from schemas.errors import MessageError
from tests.support.crm import fields, json_values
from workers.crm.canonical import canonical
from workers.crm.fold import Record, alters, fold, record_of
from workers.crm.row import record_in, row_of

T0 = datetime(2024, 1, 1, tzinfo=UTC)
COLUMNS = ("mdn", "mdn_e164", "carrier_code", "custom_fields", "field_times", "updated_at")

moments = st.integers(0, 3).map(lambda hours: T0 + timedelta(hours=hours))
records = st.builds(lambda at, told: record_of(CrmChange("x", at, told)), moments, fields)


def told(hours: int = 0, **values: Any) -> Record:
    """What a change at that hour tells; `custom_fields` under their own names."""
    names = {name: name if name in ("mdn", "carrier_code") else f"custom_fields.{name}" for name in values}
    return record_of(
        CrmChange("x", T0 + timedelta(hours=hours), {names[name]: value for name, value in values.items()})
    )


def value(record: Record, name: str) -> str:
    return record.fields[name][1]


def as_row(record: Record, country: str | None = "US") -> dict[str, Any]:
    return dict(zip(COLUMNS, row_of(record, country), strict=True))


@given(st.lists(records, min_size=1, max_size=6), st.data())
def test_any_order_repetition_and_grouping_of_changes_gives_the_same_record(
    changes: list[Record], data: st.DataObject
) -> None:
    expected = reduce(fold, changes)
    shuffled = data.draw(st.permutations([*changes, *data.draw(st.lists(st.sampled_from(changes), max_size=3))]))
    cut = data.draw(st.integers(1, len(shuffled)))
    groups = [shuffled[:cut], shuffled[cut:]]
    assert reduce(fold, [reduce(fold, group) for group in groups if group]) == expected


@given(records, records)
def test_folding_a_change_again_alters_nothing(one: Record, other: Record) -> None:
    both = fold(one, other)
    assert fold(both, other) == fold(both, one) == both
    assert not alters(both, fold(both, other))


@given(st.lists(records, min_size=1, max_size=6))
def test_every_field_has_the_value_of_its_latest_change(changes: list[Record]) -> None:
    result = reduce(fold, changes)
    for name, version in result.fields.items():
        assert version == max(change.fields[name] for change in changes if name in change.fields)
    assert result.updated_at == max(change.updated_at for change in changes)


def test_an_older_change_sets_what_no_newer_one_has_told_and_nothing_else() -> None:
    newer, older = told(2, city="Rome"), told(1, city="Oslo", name="Ann")
    result = fold(newer, older)
    assert value(result, "custom_fields.city") == '"Rome"'
    assert value(result, "custom_fields.name") == '"Ann"'
    assert result.updated_at == newer.updated_at


@given(json_values, json_values)
def test_of_two_values_of_one_moment_the_greater_wins_whichever_came_first(one: Any, other: Any) -> None:
    assert fold(told(a=one), told(a=other)) == fold(told(a=other), told(a=one))
    assert value(fold(told(a=one), told(a=other)), "custom_fields.a") == max(canonical(one), canonical(other))


def test_a_moment_is_the_same_in_every_time_zone() -> None:
    rome = record_of(CrmChange("x", T0.astimezone(timezone(timedelta(hours=1))), {"mdn": "+13125550100"}))
    assert rome == told(0, mdn="+13125550100")


def test_a_field_left_out_stays_and_a_null_removes_it() -> None:
    result = reduce(fold, [told(0, a="1", b="2"), told(1, a=None)])
    assert (value(result, "custom_fields.a"), value(result, "custom_fields.b")) == ("null", '"2"')
    assert "custom_fields.c" not in result.fields
    assert value(fold(result, told(0, a="late")), "custom_fields.a") == "null"


def test_what_alters_a_record() -> None:
    before = told(1, city="Rome", mdn=None)
    assert alters(None, told(0)), "a record that was not there, even if the change tells no field"
    assert alters(before, fold(before, told(2, city="Oslo")))
    assert alters(before, fold(before, told(2, name=None))), "a field nobody told of is to be removed"
    assert alters(before, fold(before, told(0, name="Ann"))), "old, but never told"
    assert not alters(before, fold(before, told(2, city="Rome", mdn=None))), "the same value, told later"
    assert not alters(before, fold(before, told(0, city="Oslo")))
    assert not alters(before, fold(before, told(9))), "only updated_at"


@pytest.mark.parametrize(
    ("fields_told", "reason"),
    [
        ({"mdn": 13125550100}, "invalid_mdn"),
        ({"carrier_code": ["104"]}, "invalid_carrier_code"),
        ({"timezone": "US/Central"}, "unknown_field"),
        ({"custom_fields.a": float("nan")}, "not_storable"),
        ({"custom_fields.a": T0}, "not_storable"),
    ],
)
def test_a_change_that_intake_would_have_refused_is_refused(fields_told: dict[str, Any], reason: str) -> None:
    with pytest.raises(MessageError) as refused:
        record_of(CrmChange("x", T0, fields_told))
    assert refused.value.reason == reason
    assert "1312" not in str(refused.value)


def test_nesting_without_end_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(MessageError, match="too_deep"):
        canonical(deep)
    while deep:  # taken apart by hand: freeing it in one go would overflow the stack of some Pythons
        deep = deep.pop()


@given(json_values)
def test_a_value_has_one_text_whatever_the_order_of_its_keys(any_value: Any) -> None:
    def turned(item: Any) -> Any:
        if isinstance(item, dict):
            return {name: turned(item[name]) for name in reversed(item)}
        return [turned(part) for part in item] if isinstance(item, list) else item

    assert canonical(turned(any_value)) == canonical(any_value)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (10**400, "1" + "0" * 400),
        (2**64 - 1, "18446744073709551615"),
        (1e22, "1" + "0" * 22),
        (0.1, "0.1"),
        (1.0, "1.0"),
        (-0.0, "0.0"),
        (5e-7, "0.0000005"),
        (True, "true"),
    ],
)
def test_a_number_is_written_digit_by_digit_as_postgresql_gives_it_back(number: float, text: str) -> None:
    assert canonical(number) == text


@given(st.lists(records, min_size=1, max_size=4))
def test_a_record_is_the_same_after_it_was_a_row(changes: list[Record]) -> None:
    record = reduce(fold, changes)
    assert record_in(as_row(record)) == record


def test_a_removed_field_stays_in_the_row_as_null_so_that_it_is_removed_at_vibes() -> None:
    row = as_row(reduce(fold, [told(0, a="1", mdn="+13125550100"), told(1, a=None, mdn=None)]))
    assert (row["custom_fields"], row["mdn"], row["mdn_e164"]) == ('{"a":null}', None, None)
    assert '"mdn":"2024-01-01T01:00:00+00:00"' in row["field_times"]


@pytest.mark.parametrize(
    ("mdn", "country", "e164"),
    [
        ("(312) 555-0100", "US", "+13125550100"),
        ("(312) 555-0100", None, None),
        ("+44 7911 123456", None, "+447911123456"),
    ],
)
def test_a_number_is_kept_as_it_was_written_beside_its_normal_form(
    mdn: str, country: str | None, e164: str | None
) -> None:
    row = as_row(told(0, mdn=mdn), country)
    assert (row["mdn"], row["mdn_e164"]) == (mdn, e164)


def test_what_others_wrote_without_dates_is_as_old_as_the_row() -> None:
    row = {
        "mdn": "+13125550100",
        "carrier_code": None,
        "custom_fields": '{"city": "Rome", "points": 12345678901234567890123.10}',
        "field_times": '{"custom_fields.city": "2024-01-01T05:00:00Z", "custom_fields.gone": "nonsense", "else": 1}',
        "updated_at": T0 + timedelta(hours=2),
    }
    record = record_in(row)
    assert record.fields == {
        "mdn": (T0 + timedelta(hours=2), '"+13125550100"'),
        "custom_fields.city": (T0 + timedelta(hours=5), '"Rome"'),
        "custom_fields.points": (T0 + timedelta(hours=2), "12345678901234567890123.10"),
        "custom_fields.gone": (T0 + timedelta(hours=2), "null"),
    }
    assert fold(record, told(1, mdn=None)) == record, "older than the row"
    assert value(fold(record, told(3, mdn=None)), "mdn") == "null"
    assert "12345678901234567890123.10" in row_of(record, None)[3], "not a digit is lost"


# Without a time zone, as asyncpg gives PostgreSQL's infinities.
@pytest.mark.parametrize("infinity", [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)])
def test_a_row_of_an_infinite_time_can_be_read(infinity: datetime) -> None:
    row = {**as_row(told(0, mdn="+13125550100")), "updated_at": infinity, "field_times": "{}"}
    assert fold(record_in(row), told(1, a=1)).fields.keys() == {"mdn", "custom_fields.a"}
