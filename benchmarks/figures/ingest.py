"""The figures of ingest. Pure."""

from collections.abc import Iterator

from benchmarks.figures.text import LABELS, Figures, Table, contestants, milliseconds, scaled, spread, tenths, whole


def tables(figures: Figures) -> list[Table]:
    """Return rates and costs, rates and latencies by connections, and latencies at a steady rate."""
    return [_rates(figures), _by_connections(figures), _open_loop(figures)]


def _rates(figures: Figures) -> Table:
    several = figures["scale_out"]
    rows = [
        (LABELS[name], whole(figures[name]), spread(figures, name), *_costs(figures, name))
        for name in contestants(figures)
    ]
    rows += [
        (f"ours, {number} processes", whole(rate), spread(figures, f"ours_x{number}"), *_costs(several, number))
        for number, rate in scaled(figures).items()
        if number != "1"
    ]
    return Table(
        "Ingest at 64 connections",
        ("", "callbacks/s", "slowest to fastest", "p99 ms", "CPU µs each", "broker's µs"),
        tuple(rows),
    )


def _costs(figures: Figures, name: str) -> Iterator[str]:
    return (tenths(figures.get(cost, {}).get(name)) for cost in ("p99_ms", "cpu_us", "broker_cpu_us"))


def _by_connections(figures: Figures) -> Table:
    names = contestants(figures)

    def cell(each: Figures) -> str:
        return f"{whole(each['rate'])} ({milliseconds(each['p50_ms'])} / {milliseconds(each['p99_ms'])})"

    return Table(
        "Ingest by connections: callbacks/s (p50 / p99 in ms)",
        ("connections", *(LABELS[name] for name in names)),
        tuple(
            (connections, *(cell(each[name]) for name in names)) for connections, each in figures["connections"].items()
        ),
    )


def _open_loop(figures: Figures) -> Table:
    return Table(
        "Ingest at a steady rate",
        ("of the maximum", "callbacks/s", "p50 ms", "p99 ms", "p99.9 ms", "503s"),
        tuple(
            (
                f"{share} %",
                whole(load["achieved_rate"]),
                *(tenths(load[key]) for key in ("p50_ms", "p99_ms", "p999_ms")),
                whole(load["answers_503"]),
            )
            for share, load in figures["open_loop"].items()
        ),
    )
