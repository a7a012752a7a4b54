"""What maintain decides to do about partitions."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from runtime.settings import load_settings
from schemas.errors import ConfigurationError
from workers.maintenance.plan import MONTHS_AHEAD, Action, Month, Step, old_months_end, steps
from workers.maintenance.policy import Policy

NOW = datetime(2024, 11, 15, 12, tzinfo=UTC)
FOR_EVER = Policy()


def months(first: str, count: int, table: str = "callback_events") -> list[Month]:
    year, month = map(int, first.split("-"))
    starts = [
        datetime((year * 12 + month - 1 + n) // 12, (year * 12 + month - 1 + n) % 12 + 1, 1, tzinfo=UTC)
        for n in range(count + 1)
    ]
    return [Month(table, f"{table}_{begin:%Y_%m}", begin, end, 8192) for begin, end in pairwise(starts)]


def planned(
    policy: Policy, there: list[Month], stray: tuple[date, ...] = (), table: str = "callback_events"
) -> list[str]:
    return [f"{step.action} {step.month:%Y-%m}" for step in steps(table, there, stray, policy, NOW)]


def test_there_is_a_partition_for_this_month_and_the_coming_year() -> None:
    found = steps("callback_events", [], [], FOR_EVER, NOW)
    assert found[0] == Step(Action.CREATE, "callback_events", date(2024, 11, 1))
    assert found[-1].month == date(2025, 11, 1)
    assert len(found) == MONTHS_AHEAD


def test_what_is_there_is_left_alone_for_ever_unless_something_is_configured() -> None:
    assert planned(FOR_EVER, months("2014-01", 144)) == []


def test_a_month_is_thinned_when_all_of_it_is_old() -> None:
    there = months("2024-06", 18)
    assert planned(Policy(bodies=timedelta(days=75)), there) == ["thin 2024-06", "thin 2024-07", "thin 2024-08"]
    assert planned(Policy(bodies=timedelta(days=76)), there) == ["thin 2024-06", "thin 2024-07"]


def test_a_month_is_dropped_once_its_evidence_is_old_too() -> None:
    policy = Policy(bodies=timedelta(days=75), evidence=timedelta(days=110))
    assert planned(policy, months("2024-06", 18)) == ["drop 2024-06", "thin 2024-07", "thin 2024-08"]


def test_rows_of_a_month_without_a_partition_get_one() -> None:
    assert planned(FOR_EVER, months("2024-11", 13), (date(2023, 5, 1),)) == ["create 2023-05"]


def test_calls_are_dropped_by_a_policy_of_their_own_and_never_thinned() -> None:
    policy = Policy(bodies=timedelta(days=31), evidence=timedelta(days=31), api_calls=timedelta(days=75))
    there = months("2024-06", 18, "person_api_calls")
    assert planned(policy, there, table="person_api_calls") == ["drop 2024-06", "drop 2024-07", "drop 2024-08"]


@pytest.mark.parametrize(
    ("days", "end"), [(None, None), (31, datetime(2024, 10, 1, tzinfo=UTC)), (14, datetime(2024, 11, 1, tzinfo=UTC))]
)
def test_rows_without_partitions_go_with_the_months_they_belong_to(days: int | None, end: datetime | None) -> None:
    assert old_months_end(NOW, None if days is None else timedelta(days=days)) == end


def test_the_policy_is_what_is_configured() -> None:
    assert Policy.of(load_settings()) == FOR_EVER
    assert Policy.of(load_settings(keep_bodies_days=400, keep_evidence_days=2200)) == Policy(
        timedelta(days=400), timedelta(days=2200)
    )


@pytest.mark.parametrize("bodies", [None, 500])
def test_evidence_cannot_go_before_the_bodies_it_is_in(bodies: int | None) -> None:
    with pytest.raises(ConfigurationError, match="KEEP_EVIDENCE_DAYS"):
        Policy.of(load_settings(keep_bodies_days=bodies, keep_evidence_days=400))
