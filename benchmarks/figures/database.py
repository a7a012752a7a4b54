"""The figures of apply, and of a database and a backlog that grow. Pure."""

from benchmarks.figures.text import LABELS, NONE, Figures, Table, contestants, scaled, spread, tenths, whole


def apply_tables(figures: Figures) -> list[Table]:
    """Return rates, and what an event costs."""
    rows = [(LABELS[name], whole(figures[name]), spread(figures, name)) for name in contestants(figures)]
    rows += [
        (f"ours, {number} processes", whole(rate), NONE) for number, rate in scaled(figures).items() if number != "1"
    ]
    costs = figures["cpu_us_per_event"]
    return [
        Table("Apply", ("", "events/s", "slowest to fastest"), tuple(rows)),
        Table("CPU µs an event", tuple(costs), (tuple(map(tenths, costs.values())),)),
    ]


def analytics_tables(figures: Figures) -> list[Table]:
    """Return how long analysts wait for the answer of each view."""
    rows = tuple(
        (view, f"{seconds:.3f}", f"{figures['median_seconds'][view]:.3f}")
        for view, seconds in figures["p95_seconds"].items()
    )
    return [Table(f"Views of analysts, {whole(figures['events'])} events: seconds", ("", "p95", "median"), rows)]


def growth_tables(figures: Figures) -> list[Table]:
    """Return what a long history costs apply, and a backlog ingest."""
    sizes = figures.get("table_bytes", {})
    backlog = figures["backlog"]
    return [
        Table(
            "Growth: apply with a history",
            ("events there", "events/s", "ratio", "claim of a key, µs", "WAL bytes an event", "table bytes an event"),
            tuple(
                (
                    whole(events),
                    whole(figures[name]),
                    f"{figures['ratio'][name]:.2f}",
                    tenths(figures["claim_us"][name]),
                    whole(figures["wal_bytes"][name]),
                    whole(sizes.get(name)),
                )
                for name, events in figures["events"].items()
            ),
        ),
        *_interval_tables(figures),
        Table(
            f"Growth: a backlog of {whole(backlog['callbacks'])} callbacks",
            ("ingest without, callbacks/s", "ingest with", "its drain by one apply process"),
            ((whole(backlog["ingest"]["without"]), whole(backlog["ingest"]["with"]), whole(backlog["drain"])),),
        ),
    ]


def _interval_tables(figures: Figures) -> list[Table]:
    """Return what an event costs right after a checkpoint, and later; none of a report that does not tell."""
    intervals = figures.get("intervals")
    if intervals is None:
        return []
    head = ("events there", "till the next one", "events/s", "WAL (pages)", "later, events/s", "WAL (pages)")
    rows = tuple(
        (
            whole(events),
            whole(intervals[name]["events"]),
            *_costs(intervals[name]["first"]),
            *_costs(intervals[name]["later"]),
        )
        for name, events in figures["events"].items()
    )
    first = whole(next(iter(intervals.values()))["first"]["events"])
    title = f"Growth: {first} events after a checkpoint, and later (WAL: bytes an event)"
    return [Table(title, head, rows)]


def _costs(part: Figures) -> tuple[str, str]:
    return whole(part["rate"]), f"{whole(part['wal_bytes'])} ({whole(part['page_bytes'])})"
