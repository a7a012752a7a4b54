"""The days of an export: options, and names of directories."""

from datetime import date

import pytest

from cli.export.days import DaySpan, day_directory, read_day_directory, read_days
from schemas.errors import ConfigurationError

TODAY = date(2024, 3, 15)


def test_days_are_dates_or_how_long_ago() -> None:
    assert read_days("2024-03-01", "1d", TODAY) == DaySpan(date(2024, 3, 1), date(2024, 3, 14))
    assert read_days("2w", None, TODAY) == DaySpan(date(2024, 3, 1), None)
    assert read_days(None, None, TODAY) == DaySpan()


@pytest.mark.parametrize(
    ("since", "until", "problem"),
    [
        ("yesterday", None, "--since yesterday: a day such as 2024-03-01"),
        ("2024-02-30", None, "--since 2024-02-30: a day such as"),
        ("2024-03-01T14:00", None, "--since 2024-03-01T14:00: a day such as"),
        ("", None, "--since : a day such as"),
        ("999999w", None, "--since 999999w: a day such as"),
        ("2024-03-16", None, "--since 2024-03-16: has not come yet; today is 2024-03-15"),
        ("2024-03-10", "2024-03-10", "--until 2024-03-10: not after --since 2024-03-10"),
        (None, "12h", "--until 12h: a day such as"),
    ],
)
def test_nonsense_is_refused_with_an_example(since: str | None, until: str | None, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_days(since, until, TODAY)
    assert str(refused.value).startswith(problem)


def test_the_day_of_until_is_left_out() -> None:
    span = DaySpan(date(2024, 3, 1), date(2024, 3, 3))
    assert [day for day in range(1, 5) if span.covers(date(2024, 3, day))] == [1, 2]


def test_rows_about_no_day_belong_to_all_times_only() -> None:
    assert DaySpan().covers(None)
    assert not DaySpan(since=date(2024, 3, 1)).covers(None)


@pytest.mark.parametrize("day", [date(2024, 3, 1), date(1, 1, 1), None])
def test_a_directory_is_named_as_hive_would_and_read_back(day: date | None) -> None:
    assert read_day_directory(day_directory(day)) == day
    assert day_directory(date(2024, 3, 1)) == "day=2024-03-01"


@pytest.mark.parametrize("name", ["day=20240301", "day=", "2024-03-01", "month=2024-03-01", "day=2024-W10-1"])
def test_other_directories_are_not_of_a_day(name: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_day_directory(name)
