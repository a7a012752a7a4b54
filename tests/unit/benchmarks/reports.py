"""A report with all parts, whose figures are made up: round, and good for nothing but the tests."""

from copy import deepcopy
from typing import Any

_RATES = {"floor": 20_000, "per_message": 4_000, "faststream": 2_000, "ours": 16_000}
_COSTS = {"floor": 50.0, "per_message": 250.0, "faststream": 500.0, "ours": 60.0}


def _closed_loop(share: float, p99_ms: float, group: float) -> dict[str, Any]:
    return {
        name: {
            "rate": round(rate * share),
            "p50_ms": p99_ms / 2,
            "p99_ms": p99_ms,
            "p999_ms": p99_ms * 2,
            "cpu_us": _COSTS[name] / share**0.5,
            "broker_cpu_us": None if name == "floor" else 20.0,
            "callbacks_a_message": None if name == "floor" else group if name == "ours" else 1.0,
        }
        for name, rate in _RATES.items()
    }


def _steady(rate: float) -> dict[str, Any]:
    return {"achieved_rate": rate, "p50_ms": 2.0, "p99_ms": 5.0, "p999_ms": 9.0, "answers_503": 0}


def _memory(idle: float) -> dict[str, Any]:
    return {"idle_mib": idle, "full_mib": idle + 20, "drain_mib": idle + 10, "growth_mib": 1.0, "flat": True}


def _interval(page_bytes: int | None) -> dict[str, Any]:
    part = {"rate": 7_000, "wal_bytes": 2_000, "pages": 0.2, "page_bytes": page_bytes}
    return {**part, "events": 900_000, "first": {**part, "events": 40_000}, "later": part}


def _person_sync() -> dict[str, Any]:
    return {"rate": 96.0, "limit": 100, "aim": 96.5, "throttled": 0.0, "calls_per_change": 0.1, "processes": 4}


_REPORT: dict[str, Any] = {
    "machine": {
        "cores": 2,
        "system": "Linux x86_64",
        "python": "3.11.7",
        "postgres": "18.6",
        "rabbitmq": "3.10.8",
        "settings": {"postgres": {"fsync": "on", "shared_buffers": "512MB"}},
    },
    "quick": False,
    "ingest": {
        **_RATES,
        "p99_ms": {"floor": 8.0, "per_message": 30.0, "faststream": 100.0, "ours": 12.0},
        "cpu_us": _COSTS,
        "broker_cpu_us": {"floor": None, "per_message": 200.0, "faststream": 200.0, "ours": 20.0},
        "answers_503": 0,
        "open_loop": {"50": _steady(8_000.0), "80": _steady(12_800.0)},
        "scale_out": {"1": 16_000, "2": 18_000, "p99_ms": {"1": 12.0, "2": 14.0}, "cpu_us": {"1": 60.0, "2": 70.0}},
        "connections": {
            "1": _closed_loop(0.05, 1.0, 1.0),
            "16": _closed_loop(0.5, 4.0, 4.0),
            "64": _closed_loop(1.0, 12.0, 16.0),
            "256": _closed_loop(0.9, 40.0, 64.0),
        },
        "spread": {
            name: {"lowest": rate - 500, "highest": rate + 1000} for name, rate in {**_RATES, "ours_x2": 18_000}.items()
        },
    },
    "apply": {
        "ceiling": 10_000,
        "per_event": 250,
        "faststream": 800,
        "ours": 8_000,
        "scale_out": {"1": 8_000, "2": 10_000, "4": 9_000},
        "cpu_us_per_event": {"apply": 100.0, "postgres": 80.0, "rabbitmq": 10.0},
        "spread": {
            "ceiling": {"least": 9_500, "most": 10_500},
            "per_event": {"least": 240, "most": 260},
            "faststream": {"least": 750, "most": 850},
            "ours": {"least": 7_600, "most": 8_100},
        },
    },
    "end_to_end": {
        "faststream": 600.0,
        "ours": 4_500.0,
        "visible_p99_s": 0.09,
        "visible_rate": 2_250.0,
        "visible_p50_s": 0.03,
        "visible_max_s": 0.2,
        "spread": {"faststream": [590.0, 610.0], "ours": [4_400.0, 4_600.0]},
    },
    "growth": {
        "at_0": 8_000,
        "at_1m": 7_600,
        "at_10m": 7_200,
        "ratio": {"at_0": 1.0, "at_1m": 0.95, "at_10m": 0.9},
        "claim_us": {"at_0": 5.0, "at_1m": 6.0, "at_10m": 7.0},
        "wal_bytes": {"at_0": 1_500, "at_1m": 1_800, "at_10m": 2_000},
        "intervals": {"at_0": _interval(0), "at_1m": _interval(1_000), "at_10m": _interval(None)},
        "table_bytes": {"at_1m": 1_100, "at_10m": 1_000},
        "events": {"at_0": 0, "at_1m": 1_000_000, "at_10m": 10_000_000},
        "backlog": {"callbacks": 500_000, "ingest": {"without": 15_000, "with": 14_500}, "drain": 7_000},
    },
    "memory": {
        "ingest": _memory(60.0),
        "apply": _memory(70.0),
        "person_sync": _memory(55.0),
        "ingest_mib": 80.0,
        "apply_mib": 90.0,
        "person_sync_mib": 75.0,
        "backlog": 500_000,
    },
    "person_sync": _person_sync(),
    "analytics": {
        "events": 10_000_000,
        "p95_seconds": {"list_growth": 0.1, "current_subscribers": 1.2},
        "median_seconds": {"list_growth": 0.1, "current_subscribers": 1.1},
        "slowest_p95_seconds": 1.2,
    },
}


def made_up_report() -> dict[str, Any]:
    """A report that a test may change."""
    return deepcopy(_REPORT)
