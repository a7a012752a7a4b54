"""The figures of one run."""

from collections import Counter
from dataclasses import dataclass, field
from math import exp, floor, log

from simulator.model import JsonObject


class Latencies:
    """A histogram of seconds with 2 % wide steps: percentiles of any number of values in little memory."""

    _STEP = log(1.02)

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.largest = 0.0

    def add(self, seconds: float) -> None:
        """Count one value."""
        self.largest = max(self.largest, seconds)
        self._counts[floor(log(max(seconds, 1e-6)) / self._STEP)] += 1

    def percentile(self, share: float) -> float:
        """Return what this share (0 to 1) of the values does not exceed, at most 2 % too high; 0 without values."""
        rest = share * self._counts.total()
        for step in sorted(self._counts):
            rest -= self._counts[step]
            if rest <= 0:
                return min(exp((step + 1) * self._STEP), self.largest)
        return self.largest


@dataclass(slots=True)
class Stats:
    """What became of the callbacks of a run.

    `planned` counts deliveries: events, malformed and documented bodies, and duplicates. `sent` of them have been
    tried at least once; `retried` counts the further tries; `answers` counts every try by its status, or `timeout` or
    `connection`. `acknowledged`, `lost` (a 4xx) and `gave_up` are how deliveries ended. `duplicates` and `malformed`
    are parts of `sent`; `unregistered` events had no destination and were never planned to go anywhere.
    """

    planned: int = 0
    sent: int = 0
    acknowledged: int = 0
    duplicates: int = 0
    malformed: int = 0
    lost: int = 0
    gave_up: int = 0
    retried: int = 0
    unregistered: int = 0
    times_downed: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)

    def to_json(self) -> JsonObject:
        """Return the figures, as the control API shows them. Times are in seconds."""
        return {
            "planned": self.planned,
            "sent": self.sent,
            "acknowledged": self.acknowledged,
            "duplicates": self.duplicates,
            "malformed": self.malformed,
            "lost": self.lost,
            "gave_up": self.gave_up,
            "retried": self.retried,
            "unregistered": self.unregistered,
            "times_downed": self.times_downed,
            "answers": dict(sorted(self.answers.items())),
            "max_answer_seconds": round(self.latencies.largest, 6),
            "p99_answer_seconds": round(self.latencies.percentile(0.99), 6),
        }
