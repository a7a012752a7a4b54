"""The pictures of docs/performance.md."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.figures import machine_line
from benchmarks.figures.text import LABELS, contestants, extremes, scaled, whole
from benchmarks.report import charts

Report = Mapping[str, Any]

DIRECTORY = "performance"
"""Where they are, seen from the document."""
_OURS = LABELS["ours"]
_PHASES = {"idle": "idle_mib", "full rate": "full_mib", "drain of a backlog": "drain_mib"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a report."""

    name: str
    block: str
    """Of the document, that shows it."""
    tells: str
    draw: Callable[[Report], Figure]


def draw_all(report: Report, directory: Path) -> list[Path]:
    """Write every picture of a report and return where."""
    paths = [directory / f"{picture.name}.svg" for picture in PICTURES]
    for picture, path in zip(PICTURES, paths, strict=True):
        charts.save(path, picture.tells, partial(picture.draw, report))
    return paths


def _caption(report: Report, more: str) -> str:
    return f"{more}\n{machine_line(report)}; load, services and processes share the cores"


def _rates(name: str, unit: str, more: str) -> Callable[[Report], Figure]:
    def draw(report: Report) -> Figure:
        figures = report[name]
        figure, (axes,) = charts.page(_caption(report, more))
        names = contestants(figures)
        charts.bars(
            axes,
            {LABELS[one]: figures[one] for one in names},
            unit,
            extremes={LABELS[one]: extremes(figures, one) for one in names},
            ours=_OURS,
        )
        return figure

    return draw


def _latency(report: Report) -> Figure:
    connections = report["ingest"]["connections"]
    names = contestants(report["ingest"])
    figure, panels = charts.page(_caption(report, "Closed loop"), panels=2, inches=3.4)
    for axes, (which, key) in zip(panels, {"median": "p50_ms", "99th percentile": "p99_ms"}.items(), strict=True):
        values = {LABELS[name]: [each[name][key] for each in connections.values()] for name in names}
        charts.lines(axes, list(connections), values, "ms", ours=_OURS)
        axes.set(title=which, xlabel="connections")
    charts.legend(figure, panels[0])
    return figure


def _growth(report: Report) -> Figure:
    figures = report["growth"]
    events = {whole(there): name for name, there in figures["events"].items()}
    figure, (rates, claims) = charts.page(_caption(report, "By events that are in the database already"), panels=2)
    charts.bars(rates, {there: figures[name] for there, name in events.items()}, "events/s applied")
    charts.bars(claims, {there: figures["claim_us"][name] for there, name in events.items()}, "µs to claim a key")
    return figure


def _memory(report: Report) -> Figure:
    processes = {name.replace("_", "-"): each for name, each in report["memory"].items() if isinstance(each, Mapping)}
    figure, (axes,) = charts.page(_caption(report, "Most resident memory of one process"), inches=3.2)
    phases = {phase: [each[key] for each in processes.values()] for phase, key in _PHASES.items()}
    charts.groups(axes, list(processes), phases, "MiB")
    charts.legend(figure, axes)
    return figure


def _scale_out(report: Report) -> Figure:
    figure, panels = charts.page(_caption(report, "By number of processes"), panels=2)
    for axes, (name, unit) in zip(panels, {"ingest": "callbacks/s", "apply": "events/s"}.items(), strict=True):
        charts.bars(axes, {_processes(number): rate for number, rate in scaled(report[name]).items()}, unit)
        axes.set_title(name)
    return figure


def _processes(number: str) -> str:
    return "1 process" if number == "1" else f"{number} processes"


PICTURES = (
    Picture(
        "ingest-rates",
        "ingest",
        "Callbacks a second that ingest takes, beside a server that only parses and what one would write instead",
        _rates("ingest", "callbacks/s", "64 connections; median of the rounds, and the slowest and the fastest"),
    ),
    Picture("ingest-latency", "ingest", "How long a callback waits for its answer, by connections", _latency),
    Picture(
        "apply-rates",
        "apply",
        "Events a second that one apply process writes, beside its SQL alone and what one would write instead",
        _rates("apply", "events/s", "One process; median of the rounds, and the slowest and the fastest"),
    ),
    Picture("scale-out", "apply", "Rates of ingest and apply by number of processes", _scale_out),
    Picture("growth", "growth", "Apply's rate and the cost of the dedupe ledger by events already there", _growth),
    Picture("memory", "memory", "Memory of each process when idle, at full rate and during a drain", _memory),
)
