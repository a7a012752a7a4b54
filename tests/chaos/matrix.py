"""Every fault there has to be, and where each is."""

import importlib
from collections.abc import Iterable, Iterator

from tests.chaos.fault import Fault

_NETWORK = tuple(
    f"network_{link}_{mode}"
    for link in (
        "ingest_broker",
        "apply_broker",
        "apply_postgres",
        "person_sync_postgres",
        "person_sync_broker",
        "person_sync_vibes",
    )
    for mode in ("cut", "half_open", "slow", "reset")
)

MATRIX: dict[str, tuple[str, ...]] = {
    "processes": tuple(
        f"{part}_{signal}"
        for part in ("ingest", "apply", "person_sync")
        for signal in ("sigkill", "sigterm", "sigstop")
    ),
    "broker": (
        "broker_restart",
        "broker_kill",
        "broker_memory_alarm",
        "broker_disk_alarm",
        "broker_queue_limit",
    ),
    "cluster": ("cluster_leader_killed", "cluster_node_cut_off"),
    "postgres": (
        "postgres_restart",
        "postgres_down",
        "postgres_connections_killed",
        "postgres_out_of_connections",
        "postgres_read_only",
        "postgres_deadlocks",
        "postgres_full_tablespace",
    ),
    "network": _NETWORK,
    "person_api": (
        "person_api_429_storm",
        "person_api_5xx",
        "person_api_hang",
        "person_api_reset_in_body",
        "person_api_wrong_json",
    ),
    "combined": ("apply_killed_in_outage", "broker_hangs_and_dies"),
    "clock": ("clock_steps",),
    "deploys": ("deploy_rolling_restart", "deploy_migration"),
}
"""Modules of `tests/chaos/faults`, each with FAULTS, and the names of those that must be there; it may have more."""


class Faults:
    """The faults that are written, in the order of the matrix."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self._faults: dict[str, Fault] = {}
        for module, names in MATRIX.items():
            found = {fault.name: fault for fault in _faults_of(module)}
            self.missing += [name for name in names if name not in found]
            self._faults |= found

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults.values())

    def named(self, names: Iterable[str]) -> list[Fault]:
        """Return faults by name; the start of a name stands for all that begin with it. KeyError for none."""
        chosen: dict[str, Fault] = {}
        for name in names:
            fitting = {each: fault for each, fault in self._faults.items() if each.startswith(name)}
            if not fitting:
                raise KeyError(name)
            chosen |= fitting
        return list(chosen.values())

    def quick(self) -> list[Fault]:
        """Return those of `--quick`."""
        return [fault for fault in self if fault.quick]


def _faults_of(module: str) -> tuple[Fault, ...]:
    name = f"tests.chaos.faults.{module}"
    try:
        return tuple(importlib.import_module(name).FAULTS)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("tests.chaos.faults"):
            raise
        return ()
