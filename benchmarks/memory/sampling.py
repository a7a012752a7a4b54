"""The memory of processes over time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

import psutil

_APART_SECONDS = 0.1
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process had at a moment of a phase."""

    process: str
    phase: str
    moment: float
    mib: float
    """Resident set size."""


class Sampler:
    """Looks at the resident memory of processes ten times a second, from entering a phase until leaving it."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._processes: dict[str, psutil.Process] = {}

    def watch(self, name: str, process: psutil.Process) -> None:
        """Look at this process from now on, under that name."""
        self._processes[name] = process

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Look at all processes during the context. One that ends meanwhile is left out from then on."""
        over = Event()
        looking = Thread(target=self._look, args=(name, over), name="memory", daemon=True)
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()

    def maximum(self, process: str, phase: str | None = None) -> float:
        """Return the most MiB a process had, in one phase or in all of them."""
        return max(sample.mib for sample in self._of(process, phase))

    def growth(self, process: str, phase: str) -> float:
        """Return by how many MiB the most of the second half of a phase is above the most of its first half."""
        samples = self._of(process, phase)
        middle = (samples[0].moment + samples[-1].moment) / 2
        first = max(sample.mib for sample in samples if sample.moment <= middle)
        return max((sample.mib for sample in samples if sample.moment > middle), default=first) - first

    def _of(self, process: str, phase: str | None) -> list[Sample]:
        return [sample for sample in self.samples if sample.process == process and phase in (None, sample.phase)]

    def _look(self, phase: str, over: Event) -> None:
        while True:
            for name, process in list(self._processes.items()):
                try:
                    resident = process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
                self.samples.append(Sample(name, phase, time.monotonic(), resident / _MIB))
            if over.wait(_APART_SECONDS):
                return
