"""Draws the panels of a dashboard as Grafana lays them out, from series that Prometheus answered."""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from tests.support.prometheus import Series

Ask = Callable[[str, bool], list[Series]]
"""Answers a query of a panel: over the range, or (instant) now."""

_COLUMNS = 24
_WIDTH_INCHES = 17.0
_UNIT_INCHES = 0.36
"""Height of one row of Grafana's grid."""
_DPI = 80
_PAGE, _PANEL, _INK, _FAINT = "#f4f5f5", "#ffffff", "#24292e", "#d2d5da"
_COLOURS = (
    "#73bf69",
    "#5794f2",
    "#f2cc0c",
    "#ff9830",
    "#f2495c",
    "#b877d9",
    "#37872d",
    "#1f60c4",
    "#8f3bb8",
    "#705da0",
)
_NAMED = {"green": "#37872d", "orange": "#e0752d", "red": "#c4162a"}
_STYLE: dict[Any, Any] = {
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _FAINT,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
}
_SCALES = {
    "s": ((60.0 * 60 * 24, " d"), (60.0 * 60, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms"), (1e-6, " µs")),
    "bytes": ((2.0**30, " GiB"), (2.0**20, " MiB"), (2.0**10, " KiB"), (1.0, " B")),
    "reqps": ((1.0, "/s"),),
    "ops": ((1.0, "/s"),),
    "percentunit": ((0.01, " %"),),
}


def draw(board: dict[str, Any], ask: Ask, path: Path) -> None:
    """Write a picture of a whole dashboard."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_INCHES, rows * _UNIT_INCHES), facecolor=_PAGE)
        for panel in board["panels"]:
            _draw_panel(figure, panel, rows, ask)
        figure.savefig(path, dpi=_DPI, metadata={"Software": None})


def written(value: float, unit: str) -> str:
    """Return a value as Grafana writes it, roughly: with its unit, and three digits."""
    if not math.isfinite(value):
        return "-"
    scales = _SCALES.get(unit, ((1.0, ""),))
    size, name = next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])
    return f"{_three_digits(value / size)}{name}" if value else "0"


def _three_digits(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _draw_panel(figure: Figure, panel: dict[str, Any], rows: int, ask: Ask) -> None:
    place = panel["gridPos"]
    left, width = place["x"] / _COLUMNS, place["w"] / _COLUMNS
    bottom, height = 1 - (place["y"] + place["h"]) / rows, place["h"] / rows
    inch_x, inch_y = 1 / _WIDTH_INCHES, 1 / (rows * _UNIT_INCHES)
    if panel["type"] == "row":
        figure.text(left + 0.1 * inch_x, bottom + height / 2, panel["title"], fontsize=10, weight="bold", va="center")
        return
    gap = 0.04
    figure.add_axes(
        (left + gap * inch_x, bottom + gap * inch_y, width - 2 * gap * inch_x, height - 2 * gap * inch_y),
        facecolor=_PANEL,
        xticks=[],
        yticks=[],
    )
    figure.text(left + 0.14 * inch_x, bottom + height - 0.22 * inch_y, panel["title"], weight="bold", fontsize=8)
    room = (0.62, 0.5, 0.18, 0.34) if panel["type"] == "timeseries" else (0.14, 0.1, 0.14, 0.3)
    edges = (room[0] * inch_x, room[1] * inch_y, room[2] * inch_x, room[3] * inch_y)
    axes = figure.add_axes(
        (left + edges[0], bottom + edges[1], width - edges[0] - edges[2], height - edges[1] - edges[3]), frame_on=True
    )
    {"timeseries": _draw_lines, "stat": _draw_values, "table": _draw_table}[panel["type"]](axes, panel, ask)


def _draw_lines(axes: Axes, panel: dict[str, Any], ask: Ask) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    found = [(_legend(target, series), series) for target in panel["targets"] for series in ask(target["expr"], False)]
    below: dict[float, float] = {}
    stacked = defaults["custom"]["stacking"]["mode"] == "normal"
    for (name, series), colour in zip(sorted(found, key=lambda each: each[0]), cycle(_COLOURS), strict=False):
        times = [at for at, _ in series.points]
        if stacked:
            base = [below.get(at, 0.0) for at in times]
            top = [start + value for start, (_, value) in zip(base, series.points, strict=True)]
            below.update(zip(times, top, strict=True))
            axes.fill_between(times, base, top, alpha=0.6, linewidth=0.6, label=name, color=colour)
        else:  # a gap where a value is NaN
            axes.plot(times, [value for _, value in series.points], linewidth=1.1, label=name, color=colour)
    axes.set_ylim(bottom=0, top=defaults.get("max", 1) * 1.1 if axes.get_ylim()[1] <= 0 or "max" in defaults else None)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: written(value, defaults["unit"])))
    axes.xaxis.set_major_locator(MultipleLocator(30))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda at, _place: datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S"))
    )
    axes.grid(color=_FAINT, linewidth=0.4)
    if found:
        columns = max(1, int(panel["gridPos"]["w"] / 3))
        axes.legend(
            *_first(axes, 2 * columns),
            loc="upper left",
            bbox_to_anchor=(-0.06, -0.1),
            ncols=columns,
            frameon=False,
            fontsize=6,
            handlelength=1,
        )


def _draw_values(axes: Axes, panel: dict[str, Any], ask: Ask) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    axes.set_axis_off()
    (target,) = panel["targets"]
    found = [(_legend(target, series), series.points[-1][1]) for series in ask(target["expr"], True)]
    for place, (name, value) in enumerate(found):
        across = (place + 0.5) / len(found)
        colour = _colour(value, defaults["thresholds"]["steps"])
        axes.text(across, 0.5, written(value, defaults["unit"]), fontsize=19, color=colour, ha="center", va="center")
        axes.text(across, 0.12, name, ha="center")


def _draw_table(axes: Axes, panel: dict[str, Any], ask: Ask) -> None:
    axes.set_axis_off()
    (target,) = panel["targets"]
    labels = [series.labels for series in ask(target["expr"], True)]
    names = [name for name in ("alertname", "severity", "alertstate") if any(name in each for each in labels)]
    cells = sorted([each.get(name, "") for name in names] for each in labels)
    if cells:
        table = axes.table(cellText=cells, colLabels=names, loc="upper left", edges="horizontal", cellLoc="left")
        table.auto_set_font_size(value=False)
        table.set_fontsize(6)
        table.auto_set_column_width(list(range(len(names))))


def _legend(target: dict[str, Any], series: Series) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: series.labels.get(found[1], ""), target["legendFormat"])


def _first(axes: Axes, most: int) -> tuple[Sequence[Any], Sequence[str]]:
    handles, names = axes.get_legend_handles_labels()
    return handles[:most], names[:most]


def _colour(value: float, steps: Sequence[dict[str, Any]]) -> str:
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return _NAMED[reached[-1]]
