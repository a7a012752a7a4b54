"""The figures of the whole pipeline, of its processes' memory, and of the person worker. Pure."""

from collections.abc import Mapping

from benchmarks.figures.text import LABELS, Figures, Table, contestants, spread, tenths, whole


def end_to_end_tables(figures: Figures) -> list[Table]:
    """Return the sustained rates, and the delay until a row is there."""
    return [
        Table(
            "End to end",
            ("", "callbacks/s", "slowest to fastest"),
            tuple((LABELS[name], whole(figures[name]), spread(figures, name)) for name in contestants(figures)),
        ),
        Table(
            "From the 2xx to the row",
            ("callbacks/s", "p50 ms", "p99 ms", "longest ms"),
            (
                (
                    whole(figures["visible_rate"]),
                    *(tenths(figures[f"visible_{which}_s"] * 1000) for which in ("p50", "p99", "max")),
                ),
            ),
        ),
    ]


def memory_tables(figures: Figures) -> list[Table]:
    """Return what each process has resident."""
    return [
        Table(
            "Memory, MiB",
            ("", "idle", "full rate", "drain", "growth during the drain"),
            tuple(
                (
                    name.replace("_", "-"),
                    *(tenths(each[key]) for key in ("idle_mib", "full_mib", "drain_mib", "growth_mib")),
                )
                for name, each in figures.items()
                if isinstance(each, Mapping)
            ),
        )
    ]


def person_sync_tables(figures: Figures) -> list[Table]:
    """Return how near the fleet comes to the limit, and what coalescing saves."""
    return [
        Table(
            "Person sync",
            ("processes", "calls/s", "aim", "limit", "answered 429", "calls a change, ten each"),
            (
                (
                    whole(figures["processes"]),
                    *(tenths(figures[which]) for which in ("rate", "aim", "limit")),
                    f"{figures['throttled']:.2%}",
                    f"{figures['calls_per_change']:.2f}",
                ),
            ),
        )
    ]
