"""Which of a process's metrics are shown, by part. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isnan

from cli.status.samples import Change, Samples
from runtime.metrics import Part

Reckoned = Callable[[Change], float | None]
Shown = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Figure:
    """One column about a process."""

    name: str
    """In JSON."""
    head: str
    of: Reckoned
    shown: Shown


def part_of(samples: Samples) -> Part | None:
    """Return the part that tells these metrics. None: it is no process of ours, or of an older release."""
    parts: list[Part] = ["ingest", "apply", "person-sync"]
    starts = {part: f"vibes_{part.replace('-sync', '')}_" for part in parts}
    told = [part for part in parts if any(name.startswith(starts[part]) for name in samples.names)]
    return told[0] if len(told) == 1 else None


def reckon(part: Part, change: Change) -> dict[str, float | None]:
    """Return the figures of a process by their names."""
    return {figure.name: figure.of(change) for figure in FIGURES[part]}


def as_count(value: float) -> str:
    """Return a number of things."""
    return f"{value:,.0f}"


def as_rate(value: float) -> str:
    """Return how many a second; with a decimal where they are few."""
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"


def as_duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds == 0 or seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    for unit, length, longest in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if seconds < length * longest:
            return f"{seconds / length:.0f} {unit}" if seconds >= 10 * length else f"{seconds / length:.1f} {unit}"
    return f"{seconds / 86400:.0f} d"


def as_bytes(value: float) -> str:
    """Return an amount of memory."""
    return f"{value / 2**20:,.0f} MiB"


def or_dash(value: float | None, shown: Shown) -> str:
    """Return a figure as it is shown, a dash when it is not known."""
    return "-" if value is None or isnan(value) else shown(value)


def _gauge(name: str) -> Reckoned:
    return lambda change: change.now.total(name)


def _rate(name: str, **labels: str) -> Reckoned:
    return lambda change: change.rate(name, **labels)


def _mean(name: str) -> Reckoned:
    return lambda change: change.mean(name)


def _quantile(name: str, share: float) -> Reckoned:
    return lambda change: change.quantile(name, share)


def _used(change: Change) -> float | None:
    return change.now.total("vibes_postgres_pool_connections", state="used")


_MEMORY = Figure("memory_bytes", "memory", _gauge("process_resident_memory_bytes"), as_bytes)
_POOL = (
    Figure("pool_used", "pool", _used, as_count),
    Figure("pool_max", "of", _gauge("vibes_postgres_pool_max_connections"), as_count),
)

FIGURES: Mapping[Part, tuple[Figure, ...]] = {
    "ingest": (
        Figure("accepted_per_second", "202/s", _rate("vibes_ingest_answers_total", status="202"), as_rate),
        Figure("refused_per_second", "503/s", _rate("vibes_ingest_answers_total", status="503"), as_rate),
        Figure("answer_p50_seconds", "p50", _quantile("vibes_ingest_answer_seconds", 0.5), as_duration),
        Figure("answer_p99_seconds", "p99", _quantile("vibes_ingest_answer_seconds", 0.99), as_duration),
        Figure("in_flight", "in flight", _gauge("vibes_ingest_in_flight_requests"), as_count),
        Figure("pending", "unconfirmed", _gauge("vibes_ingest_pending_callbacks"), as_count),
        Figure("group_mean", "group", _mean("vibes_ingest_group_callbacks"), as_rate),
        Figure("publish_p99_seconds", "publish p99", _quantile("vibes_ingest_publish_seconds", 0.99), as_duration),
        Figure("connections", "callers", _gauge("vibes_ingest_connections"), as_count),
        _MEMORY,
    ),
    "apply": (
        Figure("callbacks_per_second", "callbacks/s", _rate("vibes_apply_callbacks_total"), as_rate),
        Figure("batch_mean", "batch", _mean("vibes_apply_batch_callbacks"), as_rate),
        Figure("transaction_p50_seconds", "p50", _quantile("vibes_apply_transaction_seconds", 0.5), as_duration),
        Figure("transaction_p99_seconds", "p99", _quantile("vibes_apply_transaction_seconds", 0.99), as_duration),
        Figure("lag_seconds", "lag", _gauge("vibes_apply_lag_seconds"), as_duration),
        Figure("oldest_unapplied_seconds", "oldest", _gauge("vibes_apply_oldest_unapplied_seconds"), as_duration),
        Figure("retries_per_second", "retries/s", _rate("vibes_apply_batch_retries_total"), as_rate),
        *_POOL,
        _MEMORY,
    ),
    "person-sync": (
        Figure("syncs_per_second", "syncs/s", _rate("vibes_person_sync_outcomes_total"), as_rate),
        Figure("calls_per_second", "calls/s", _rate("vibes_person_api_calls_total"), as_rate),
        Figure("rate_limited_per_second", "429/s", _rate("vibes_person_api_calls_total", status="429"), as_rate),
        Figure("call_p50_seconds", "p50", _quantile("vibes_person_api_seconds", 0.5), as_duration),
        Figure("call_p99_seconds", "p99", _quantile("vibes_person_api_seconds", 0.99), as_duration),
        Figure("circuits_open", "circuits open", _gauge("vibes_person_api_circuit_open"), as_count),
        Figure("paused", "paused", _gauge("vibes_person_api_paused"), as_count),
        *_POOL,
        _MEMORY,
    ),
}
