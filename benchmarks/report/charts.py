"""Charts that can be read on light and on dark pages: no background, and colours between light and dark.

All axes of quantities begin at zero. Equal figures give equal files.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#6e7681"
OURS = "#2f7fe0"
OTHERS = ("#b8741a", "#b5478a", "#3c8c4f")
_WIDTH_INCHES = 7.6
_ROOM = 1.25
"""Beyond the longest bar, for its number."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "vibes-pipeline",
    "font.sans-serif": ["DejaVu Sans"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
}

Extremes = tuple[float, float]


def save(path: Path, title: str, draw: Callable[[], Figure]) -> None:
    """Write what `draw` returns as an SVG picture."""
    with mpl.rc_context(_STYLE):
        draw().savefig(path, format="svg", transparent=True, metadata={"Title": title, "Date": None, "Creator": None})


def page(caption: str, *, panels: int = 1, inches: float = 2.8) -> tuple[Figure, list[Axes]]:
    """Return a picture of so many panels side by side and of this height, with a caption below."""
    figure = Figure(figsize=(_WIDTH_INCHES, inches), layout="constrained")
    figure.supxlabel(caption, fontsize="small")
    return figure, list(figure.subplots(1, panels, squeeze=False)[0])


def bars(
    axes: Axes,
    values: Mapping[str, float],
    unit: str,
    *,
    extremes: Mapping[str, Extremes] | None = None,
    ours: str = "",
) -> None:
    """Draw a bar a name from the top down, with its number, and the least and greatest of its rounds as a line."""
    known = extremes or {}
    for place, (name, value) in enumerate(values.items()):
        axes.barh(place, value, height=0.62, color=OURS if name.startswith(ours) else INK)
        end = value
        if name in known:
            low, high = known[name]
            end = max(end, high)
            axes.errorbar(value, place, xerr=[[value - low], [high - value]], color=OTHERS[0], capsize=3, linewidth=1.5)
        axes.annotate(f"{value:,.0f}", (end, place), (5, 0), textcoords="offset points", va="center")
    longest = max([*values.values(), *(high for _, high in known.values())])
    axes.set(xlim=(0, longest * _ROOM), yticks=range(len(values)), yticklabels=list(values), xlabel=unit)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=5)


def lines(axes: Axes, places: Sequence[str], values: Mapping[str, Sequence[float]], unit: str, *, ours: str) -> None:
    """Draw a line a name over places at equal distances."""
    colours = iter((INK, *OTHERS))
    for name, marker in zip(values, "osDv^", strict=False):
        colour = OURS if name == ours else next(colours)
        axes.plot(places, values[name], color=colour, marker=marker, label=name, linewidth=2.2 if name == ours else 1.4)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(unit)


def groups(axes: Axes, names: Sequence[str], values: Mapping[str, Sequence[float]], unit: str) -> None:
    """Draw a group of bars a name: a bar for each series of `values`, in the same order everywhere."""
    width = 0.8 / len(values)
    for number, (label, heights) in enumerate(values.items()):
        places = [place + (number - (len(values) - 1) / 2) * width for place in range(len(names))]
        drawn = axes.bar(places, heights, width * 0.92, color=(INK, OURS, OTHERS[0])[number % 3], label=label)
        axes.bar_label(drawn, fmt="{:,.0f}", padding=2, fontsize="small")
    axes.set(xticks=range(len(names)), xticklabels=list(names), ylabel=unit)
    axes.set_ylim(0, max(max(heights) for heights in values.values()) * _ROOM)


def legend(figure: Figure, axes: Axes) -> None:
    """Put the names of one panel's lines or bars above all panels."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=5, frameon=False)
