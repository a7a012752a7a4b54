"""What a fault is: something that goes wrong for a while and is then put right.

Each module in `tests/chaos/faults` has `FAULTS`, a tuple of them; `tests/chaos/matrix.py` lists what must be there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tests.chaos.world import World

Link = tuple[str, str]
"""Who connects to whom: ("ingest", "broker"), ("apply", "broker"), ("apply", "postgres"), ("person-sync", "postgres"),
("person-sync", "broker"), ("person-sync", "vibes")."""

CAUSES = 3
"""How often a fault is injected unless it says otherwise."""


class Answers(StrEnum):
    """What callers of ingest may get to see while a fault lasts. An answer other than 2xx and 503 is always wrong."""

    IN_TIME = "in time"
    """Every call is answered within the deadline."""
    MAY_BE_MISSING = "may be missing"
    """Ingest itself is hit: calls may be refused, reset, answered late or not at all."""
    ALL_ACCEPTED = "all accepted"
    """Every call gets 2xx at its first attempt."""


@dataclass(frozen=True)
class Needs:
    """What of a world a fault needs. Faults with equal needs share a world, because its start costs seconds."""

    proxies: frozenset[Link] = frozenset()
    """Links that go through a TCP proxy."""
    cluster: bool = False
    """Three RabbitMQ nodes instead of one (`deploy.local.cluster`)."""
    processes: Mapping[str, int] = field(default_factory=dict)
    """`--processes` of a part ("ingest", "apply", "person-sync") that is not to be one."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of all parts."""
    modules: Mapping[str, str] = field(default_factory=dict)
    """What is run as `python -m MODULE PART` for a part in place of `cli`: a wrapper that changes something first."""
    part_settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Environment variables of one part, by its name."""
    postgres_settings: Mapping[str, str] = field(default_factory=dict)
    """Settings of PostgreSQL's configuration file, such as max_connections."""
    migrations: int | None = None
    """Start with so many of the newest migrations left out; None: with all applied."""
    alone: bool = False
    """Share the world with no other fault, because this one leaves traces."""

    def joined(self, other: "Needs") -> "Needs | None":
        """Return what both need together; None if one world cannot have it."""
        if self.alone or other.alone or (self.cluster, self.migrations) != (other.cluster, other.migrations):
            return None
        processes, modules = {**self.processes, **other.processes}, {**self.modules, **other.modules}
        settings = {**self.settings, **other.settings}
        part_settings = {**self.part_settings, **other.part_settings}
        postgres_settings = {**self.postgres_settings, **other.postgres_settings}
        together = replace(
            self,
            proxies=self.proxies | other.proxies,
            processes=processes,
            settings=settings,
            modules=modules,
            part_settings=part_settings,
            postgres_settings=postgres_settings,
        )
        return together if together._has_all_of(self) else None

    def _has_all_of(self, part: "Needs") -> bool:
        """Tell whether nothing of that was replaced by something else."""
        return (
            self.processes.items() >= part.processes.items()
            and self.settings.items() >= part.settings.items()
            and self.modules.items() >= part.modules.items()
            and all(self.part_settings[name] == settings for name, settings in part.part_settings.items())
            and self.postgres_settings.items() >= part.postgres_settings.items()
        )


class Fault(Protocol):
    """One thing that goes wrong. Subclass it (the defaults below are inherited)."""

    name: str
    """As in the report: "apply_sigkill", "network_ingest_broker_slow"."""
    quick: bool = False
    """Part of `--quick`."""
    injections: int = CAUSES
    """How often in a run; at least 3 (once is enough in `--quick`)."""
    answers: Answers = Answers.IN_TIME
    rate: float = 300.0
    """Callbacks a second while it is injected."""

    def needs(self) -> Needs:
        """Return what of a world it needs."""
        return Needs()

    async def inject(self, world: "World", random: Random) -> None:
        """Begin the fault and, after as long as it lasts, heal it; on return all is healed.

        Healed means that the cause is gone and what was stopped is started again, not that everybody has recovered:
        the engine waits for that.
        """
