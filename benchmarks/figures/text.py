"""Figures as text, and who they are of. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Any]
Row = tuple[str, ...]

LABELS = {
    "floor": "floor",
    "ceiling": "ceiling",
    "per_message": "a message each",
    "per_event": "an event at a time",
    "faststream": "FastStream",
    "faststream_as_documented": "FastStream, as documented",
    "faststream_one_statement": "FastStream, one statement",
    "ours": "ours",
}
"""What the contestants are called, in the order in which they are shown."""
NONE = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the first column holds names, the others figures."""

    title: str
    head: Row
    rows: tuple[Row, ...]


def whole(value: float | None) -> str:
    """Return a number without decimals."""
    return NONE if value is None else f"{value:,.0f}"


def tenths(value: float | None) -> str:
    """Return a number with one decimal."""
    return NONE if value is None else f"{value:,.1f}"


def milliseconds(value: float) -> str:
    """Return a latency with two digits at least."""
    return tenths(value) if value < 10 else whole(value)


def contestants(figures: Figures) -> list[str]:
    """Return the names of those that were measured, in the order of LABELS."""
    return [name for name in LABELS if name in figures]


def extremes(figures: Figures, name: str) -> tuple[float, float]:
    """Return the least and the greatest rate of a contestant's rounds."""
    spread = figures["spread"][name]
    rates = spread.values() if isinstance(spread, Mapping) else spread
    return min(rates), max(rates)


def spread(figures: Figures, name: str) -> str:
    """Return these two as text."""
    return " to ".join(map(whole, extremes(figures, name)))


def scaled(figures: Figures) -> dict[str, float]:
    """Return the rates of ours by number of processes."""
    return {number: rate for number, rate in figures["scale_out"].items() if number.isdecimal()}
