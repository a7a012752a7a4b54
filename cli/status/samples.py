"""What a process told on /metrics, and what happened between two such tellings. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, nan

from prometheus_client.parser import text_string_to_metric_families

Labels = Mapping[str, str]


class Samples:
    """The samples of one /metrics, by name."""

    def __init__(self, samples: Mapping[str, list[tuple[Labels, float]]], names: Iterable[str]) -> None:
        self._samples = samples
        self.names = frozenset(names)
        """Of all metrics that were told of, those without a sample too."""

    def of(self, name: str, **labels: str) -> list[tuple[Labels, float]]:
        """Return the samples of that name which have these labels, and perhaps others."""
        return [
            (each, value)
            for each, value in self._samples.get(name, [])
            if all(each.get(label) == wanted for label, wanted in labels.items())
        ]

    def total(self, name: str, **labels: str) -> float | None:
        """Return the sum of those samples, None when there are none."""
        found = [value for _, value in self.of(name, **labels)]
        return sum(found) if found else None


NOTHING = Samples({}, ())


def read_samples(exposition: str) -> Samples:
    """Read the text format of Prometheus. Raises ValueError for what is none."""
    samples: defaultdict[str, list[tuple[Labels, float]]] = defaultdict(list)
    names = []
    for family in text_string_to_metric_families(exposition):
        names.append(family.name)
        for sample in family.samples:
            samples[sample.name].append((sample.labels, sample.value))
    return Samples(samples, names)


@dataclass(frozen=True, slots=True)
class Change:
    """From one telling of a process to the next; without a first one, from its start, and then nothing has a rate."""

    now: Samples
    before: Samples | None = None
    seconds: float = 0.0
    """The time between the two."""

    def rate(self, name: str, **labels: str) -> float | None:
        """Return by how much a counter rose in a second. None: not known, or there is no such counter."""
        if self.before is None or self.seconds <= 0 or name.removesuffix("_total") not in self.now.names:
            return None
        return self._risen(name, **labels) / self.seconds

    def mean(self, histogram: str) -> float | None:
        """Return the mean of what was observed. None: nothing was."""
        count = self._risen(f"{histogram}_count")
        return self._risen(f"{histogram}_sum") / count if count else None

    def quantile(self, histogram: str, share: float) -> float | None:
        """Return below what such a share of the observed lies, as Prometheus reckons it. None: nothing was observed."""
        bounds: defaultdict[float, float] = defaultdict(float)
        for labels, _ in self.now.of(f"{histogram}_bucket"):
            bounds[float(labels["le"])] = self._risen(f"{histogram}_bucket", le=labels["le"])
        buckets = sorted(bounds.items())
        wanted = share * buckets[-1][1] if buckets else 0.0
        if not wanted:
            return None
        lower, below = 0.0, 0.0
        for upper, count in buckets:
            if count >= wanted:
                # Of what lies above the last bound only that is known.
                return lower if upper == inf else lower + (upper - lower) * (wanted - below) / (count - below)
            lower, below = upper, count
        return nan

    def _risen(self, name: str, **labels: str) -> float:
        now = self.now.total(name, **labels) or 0.0
        before = (self.before.total(name, **labels) if self.before else None) or 0.0
        # A process that was started anew counts from 0 again.
        return now - before if now >= before else now
