"""What the pipeline aims at, and what a report has reached of it. Pure.

Nearly all are ratios of two figures of one run: machines differ, and so does one machine from hour to hour.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

Report = Mapping[str, Any]

_DECIMALS = 3
_FLAT_MIB = 5
_ROOM_MIB = 150


@dataclass(frozen=True, slots=True)
class Reach:
    """A figure and what it should be."""

    figure: str
    value: float
    aim: str
    reached: bool | None
    """None when there is no bound to reach."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Aim:
    """The figure of a report at the path `of`, divided by the one at `per` if there is one, and its bound."""

    figure: str
    of: str
    per: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    unit: str = ""
    beyond: str = ""
    """What would be better still."""

    def of_report(self, report: Report) -> Reach | None:
        value = _at(report, self.of)
        if value is not None and self.per is not None:
            divisor = _at(report, self.per)
            value = value / divisor if divisor else None
        if value is None:
            return None
        value = round(value, _DECIMALS)
        aim, reached = self._judge(value)
        return Reach(self.figure, value, f"{aim}{self.unit}{self.beyond}", reached)

    def _judge(self, value: float) -> tuple[str, bool | None]:
        if self.at_least is not None:
            return f"at least {self.at_least:g}", value >= self.at_least
        if self.at_most is not None:
            return f"at most {self.at_most:g}", value <= self.at_most
        if self.below is not None:
            return f"under {self.below:g}", value < self.below
        return "reported", None


_AIMS = (
    _Aim("ingest, ours / floor", "ingest.ours", "ingest.floor", at_least=0.7, beyond=", better 0.85"),
    _Aim("ingest, ours / FastStream", "ingest.ours", "ingest.faststream", at_least=6),
    _Aim("ingest, ours / a message each", "ingest.ours", "ingest.per_message", at_least=3),
    _Aim("ingest, p99 of ours / of the floor", "ingest.p99_ms.ours", "ingest.p99_ms.floor", at_most=2.5),
    _Aim("ingest, 503s up to 80 % of the maximum", "ingest.answers_503", at_most=0),
    _Aim("apply, ours / ceiling", "apply.ours", "apply.ceiling", at_least=0.75),
    _Aim("apply, ours / FastStream", "apply.ours", "apply.faststream", at_least=10),
    _Aim("apply, ours / FastStream as documented", "apply.ours", "apply.faststream_as_documented"),
    _Aim("end to end, ours / FastStream", "end_to_end.ours", "end_to_end.faststream", at_least=6),
    _Aim("from 2xx to visible, p99 at half load", "end_to_end.visible_p99_s", below=1, unit=" s"),
    _Aim("apply, with the longest history / with none", "growth.at_10m", "growth.at_0", at_least=0.8),
    *(
        aim
        for name in ("ingest", "apply")
        for aim in (
            _Aim(f"memory of {name} at full rate", f"memory.{name}.full_mib", below=_ROOM_MIB, unit=" MiB"),
            _Aim(f"memory of {name} during the drain", f"memory.{name}.drain_mib", below=_ROOM_MIB, unit=" MiB"),
            _Aim(f"growth of {name} during the drain", f"memory.{name}.growth_mib", at_most=_FLAT_MIB, unit=" MiB"),
        )
    ),
    _Aim("the slowest view of analysts, p95", "analytics.slowest_p95_seconds", below=2, unit=" s"),
    _Aim("apply, 2 processes / 1", "apply.scale_out.2", "apply.scale_out.1"),
)


def reached(report: Report) -> list[Reach]:
    """Return what a report says of each aim; what it has no figures for is left out."""
    return [found for aim in _AIMS if (found := aim.of_report(report)) is not None]


def _at(report: Report, path: str) -> float | None:
    """Return the number at a path of names with dots between; None when there is none."""
    value: Any = report
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
