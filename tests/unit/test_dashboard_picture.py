"""What docs/operations/dashboard.png is drawn with."""

import math
from pathlib import Path

import pytest

from tests.support.dashboard_picture import draw, written
from tests.support.prometheus import Series


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.25, "s", "250 ms"),
        (5400, "s", "1.5 h"),
        (0.031, "percentunit", "3.1 %"),
        (3 * 2**20, "bytes", "3 MiB"),
        (1234.5, "short", "1,234"),
        (0.6, "short", "0.6"),
        (0, "s", "0"),
        (math.nan, "reqps", "-"),
    ],
)
def test_values_are_written_for_people(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text


def panel(kind: str, place: int, expression: str) -> dict[str, object]:
    custom = {"stacking": {"mode": "normal" if kind == "timeseries" else "none"}}
    thresholds = {"steps": [{"color": "green", "value": None}, {"color": "red", "value": 1}]}
    return {
        "type": kind,
        "title": kind,
        "gridPos": {"x": 8 * place, "y": 0, "w": 8, "h": 6},
        "fieldConfig": {"defaults": {"unit": "s", "custom": custom, "thresholds": thresholds}},
        "targets": [{"expr": expression, "legendFormat": "{{job}}"}],
    }


def test_each_kind_of_panel_is_drawn_from_the_answers_to_its_own_questions(tmp_path: Path) -> None:
    asked = []

    def answer(promql: str, instant: bool) -> list[Series]:
        asked.append((promql, instant))
        return [Series({"job": "a", "alertname": "b"}, [(1.0, 2.0)] if instant else [(1.0, math.nan), (2.0, 3.0)])]

    kinds = ("timeseries", "stat", "table")
    board = {"panels": [panel(kind, place, f"of_{kind}") for place, kind in enumerate(kinds)]}
    draw(board, answer, tmp_path / "picture.png")

    assert asked == [("of_timeseries", False), ("of_stat", True), ("of_table", True)]
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
