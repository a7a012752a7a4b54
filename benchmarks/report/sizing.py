"""From what was measured on one machine to how much of everything a rate takes. Pure.

It multiplies. A process is planned for a part of what one did in the run, a processor for a part of its time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

BUSY = 0.5
"""The part: callbacks come in bursts, and after an outage there is a backlog."""
RATES = (100, 1_000, 10_000, 100_000)
_DAY_SECONDS = 86_400
_MICRO = 1e-6


@dataclass(frozen=True, slots=True)
class Load:
    """What one ingest process was given, and used, a second: the more callbacks at once, the less each costs."""

    rate: float
    """Callbacks."""
    messages: float
    """That it put them into."""
    ingest_us: float
    """Microseconds of CPU."""
    broker_us: float | None
    """Those of the broker to queue them; None when not measured."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured. CPU is in microseconds an event; None where it was not measured."""

    ingest_rate: float
    """Most callbacks a second of one ingest process."""
    loads: tuple[Load, ...]
    """By rate."""
    queue_rate: float
    """Messages a second that one queue has confirmed."""
    apply_rate: float
    """Most events a second of one apply process."""
    apply_us: float
    broker_us: float | None
    """To hand an event to apply."""
    postgres_us: float | None
    wal_bytes: float
    """Of PostgreSQL's log, an event."""
    table_bytes: float | None
    """Of tables and indexes, an event."""
    proven: float
    """Callbacks a second of the whole pipeline on the machine that was measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rate takes. None where a cost was not measured."""

    rate: float
    ingest_processes: int
    apply_processes: int
    queues: int
    ingest_cores: float
    apply_cores: float
    broker_cores: float | None
    postgres_cores: float | None
    table_bytes_a_day: float | None
    wal_bytes_a_day: float
    extrapolated: bool
    """More than the machine that was measured has done."""


def costs(report: Mapping[str, Any]) -> Costs:
    """Return what a whole report says. Raises KeyError when a part is missing."""
    ingest, apply, growth = report["ingest"], report["apply"], report["growth"]
    cpu, sizes = apply["cpu_us_per_event"], growth.get("table_bytes", {})
    by_connections = sorted(ingest["connections"].items(), key=lambda item: int(item[0]))
    return Costs(
        ingest_rate=ingest["ours"],
        loads=_rising(_load(each["ours"]) for _, each in by_connections),
        queue_rate=ingest["per_message"],
        apply_rate=apply["ours"],
        apply_us=cpu["apply"],
        broker_us=cpu.get("rabbitmq"),
        postgres_us=cpu["postgres"],
        wal_bytes=max(growth["wal_bytes"].values()),
        table_bytes=max(sizes.values(), default=None),
        proven=report["end_to_end"]["ours"],
    )


def plan(costs: Costs, rate: float, busy: float = BUSY) -> Plan:
    """Return what so many callbacks a second take when everything is to be `busy` (0 to 1) of the time."""
    ingest_processes = ceil(rate / (busy * costs.ingest_rate))
    apply_processes = ceil(rate / (busy * costs.apply_rate))

    def ingest(of: Callable[[Load], float]) -> float:
        return ingest_processes * _used(costs.loads, of, rate / ingest_processes)

    def cores(microseconds: float) -> float:
        return microseconds * _MICRO / busy

    broker = None
    if costs.broker_us is not None and all(load.broker_us is not None for load in costs.loads):
        broker = cores(ingest(lambda load: load.broker_us or 0.0) + rate * costs.broker_us)
    return Plan(
        rate=rate,
        ingest_processes=ingest_processes,
        apply_processes=apply_processes,
        queues=max(1, ceil(ingest(lambda load: load.messages) / (busy * costs.queue_rate))),
        # A process cannot use more than one.
        ingest_cores=min(ingest_processes, cores(ingest(lambda load: load.ingest_us))),
        apply_cores=min(apply_processes, cores(rate * costs.apply_us)),
        broker_cores=broker,
        postgres_cores=None if costs.postgres_us is None else cores(rate * costs.postgres_us),
        table_bytes_a_day=None if costs.table_bytes is None else rate * costs.table_bytes * _DAY_SECONDS,
        wal_bytes_a_day=rate * costs.wal_bytes * _DAY_SECONDS,
        extrapolated=rate > costs.proven,
    )


def _load(figures: Mapping[str, Any]) -> Load:
    rate, broker_us = figures["rate"], figures.get("broker_cpu_us")
    return Load(
        rate=rate,
        messages=rate / (figures.get("callbacks_a_message") or 1.0),
        ingest_us=rate * figures["cpu_us"],
        broker_us=None if broker_us is None else rate * broker_us,
    )


def _rising(loads: Iterable[Load]) -> tuple[Load, ...]:
    """Return the loads up to the fastest: with yet more connections callbacks only wait longer."""
    kept: list[Load] = []
    for load in loads:
        if not kept or load.rate > kept[-1].rate:
            kept.append(load)
    return tuple(kept)


def _used(loads: Sequence[Load], of: Callable[[Load], float], rate: float) -> float:
    """Return how much is used at a rate: in straight lines from nothing at 0 through all loads, then in proportion."""
    before_rate = before = 0.0
    for load in loads:
        if rate <= load.rate:
            return before + (of(load) - before) * (rate - before_rate) / (load.rate - before_rate)
        before_rate, before = load.rate, of(load)
    return before * rate / before_rate
