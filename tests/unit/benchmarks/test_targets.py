"""What a report has reached of what the pipeline aims at."""

from typing import Any

import pytest

from benchmarks.targets import Reach, reached
from tests.unit.benchmarks.reports import made_up_report

INGEST_TO_FLOOR = "ingest, ours / floor"


def found(report: dict[str, Any], figure: str) -> Reach:
    return next(each for each in reached(report) if each.figure == figure)


def test_a_ratio_is_of_two_figures_of_the_same_report() -> None:
    report = {"ingest": {"ours": 15_000, "floor": 20_000}}
    assert reached(report) == [Reach(INGEST_TO_FLOOR, 0.75, "at least 0.7, better 0.85", True)]


@pytest.mark.parametrize(("ours", "expected"), [(13_999, True), (13_980, False), (14_000, True)])
def test_an_aim_is_judged_by_the_value_as_it_is_shown(ours: int, expected: bool) -> None:
    report = {"ingest": {"ours": ours, "floor": 20_000}}
    each = found(report, INGEST_TO_FLOOR)
    assert (each.value >= 0.7, each.reached) == (expected, expected)


def test_a_bound_from_above_is_met_by_its_own_value_and_missed_beyond() -> None:
    def of(p99: float) -> Reach:
        return found({"ingest": {"p99_ms": {"ours": p99, "floor": 4.0}}}, "ingest, p99 of ours / of the floor")

    assert [of(10.0).reached, of(10.1).reached] == [True, False]


def test_under_a_bound_does_not_include_the_bound() -> None:
    def of(seconds: float) -> Reach:
        return found({"end_to_end": {"visible_p99_s": seconds}}, "from 2xx to visible, p99 at half load")

    assert [of(0.999).reached, of(1.0).reached] == [True, False]


def test_zero_is_a_figure_and_not_a_gap() -> None:
    assert found({"ingest": {"answers_503": 0}}, "ingest, 503s up to 80 % of the maximum").reached is True


def test_what_has_no_bound_is_reported_only() -> None:
    each = found({"apply": {"scale_out": {"1": 8_000, "2": 10_000}}}, "apply, 2 processes / 1")
    assert (each.value, each.aim, each.reached) == (1.25, "reported", None)


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"machine": {"cores": 2}, "quick": True},
        {"ingest": {"ours": 15_000}},
        {"ingest": {"ours": 15_000, "floor": 0}},
        {"ingest": {"ours": 15_000, "floor": None}},
        {"apply": {"scale_out": {"1": 8_000}}},
        {"memory": {"ingest": {"flat": True}}},
    ],
)
def test_what_cannot_be_told_is_left_out(report: dict[str, Any]) -> None:
    assert reached(report) == []


def test_a_whole_report_tells_of_every_aim() -> None:
    figures = [each.figure for each in reached(made_up_report())]
    assert len(figures) == len(set(figures)) == 18
    assert all(each.reached in (True, None) for each in reached(made_up_report()))


def test_each_process_has_to_keep_within_its_memory_and_flat() -> None:
    report = made_up_report()
    report["memory"]["apply"] |= {"full_mib": 150.0, "drain_mib": 149.9, "growth_mib": 5.1}
    missed = [each.figure for each in reached(report) if each.reached is False]
    assert missed == ["memory of apply at full rate", "growth of apply during the drain"]
