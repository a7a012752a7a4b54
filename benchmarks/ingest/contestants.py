"""Who is measured: the pipeline's ingest, and what one would write instead, each a process that runs all the time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from benchmarks.ingest.queues import Queues
from benchmarks.rivals.start import start as start_rival
from deploy.local.errors import ServiceError
from deploy.local.ports import is_free
from deploy.local.processes import log_tail, wait_until_ready
from deploy.local.stack import Part, Stack
from schemas.topology import Topology

COMPANY = "bench"
OURS = "ours"
RIVALS = {"floor": "floor", "per_message": "per_message", "faststream": "faststream_ingest"}
"""The name in the report, and the module in benchmarks.rivals."""

_MIB = 1024 * 1024
_SCALED_PROCESSES = 2
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """One that takes callbacks at `url`."""

    name: str
    url: str
    process: psutil.Popen
    check: Callable[[], None]
    """Raises ServiceError when its process has ended."""
    queues: tuple[str, ...]
    """Where it puts them; nowhere for the floor."""
    take: Callable[[Sequence[str]], int]
    """Empties these queues and returns how many callbacks there were."""

    def cpu_seconds(self) -> float:
        """Return the processor time its processes have used so far."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(time.user + time.system for time in times)

    def resident_mib(self) -> float:
        """Return the memory its processes have in use."""
        return round(sum(process.memory_info().rss for process in self._processes()) / _MIB, 1)

    def _processes(self) -> Iterator[psutil.Process]:
        yield self.process
        yield from self.process.children(recursive=True)


@dataclass(frozen=True, slots=True)
class Field:
    """All contestants."""

    single: tuple[Contestant, ...]
    """Those of one process, ours the last of them."""
    scaled: Contestant
    """Ours with two processes that share a port."""

    @property
    def everybody(self) -> tuple[Contestant, ...]:
        """All of them."""
        return (*self.single, self.scaled)

    @property
    def ours(self) -> Contestant:
        """The pipeline's ingest as one process."""
        return self.single[-1]


def start(stack: Stack, queues: Queues) -> Field:
    """Start everybody side by side. `stack` has no ingest yet. Raises ServiceError with the end of a log."""
    topology = Topology(prefix=stack.environment["VIBES_PIPELINE_QUEUE_PREFIX"])
    names = tuple(queue.name for queue in topology.apply)
    with ThreadPoolExecutor() as pool:
        rivals = [pool.submit(_start_rival, stack, queues, name) for name in RIVALS]
        scaling = pool.submit(_start_scaled, stack, queues, names)
        part = stack.start("ingest")
        ours = _of_part(OURS, part, stack.callback_url(COMPANY), queues, names)
        return Field((*(rival.result() for rival in rivals), ours), scaling.result())


def _start_rival(stack: Stack, queues: Queues, name: str) -> Contestant:
    queue = f"{stack.environment['VIBES_PIPELINE_QUEUE_PREFIX']}.{name}"
    rival = start_rival(
        stack.workspace, RIVALS[name], {"RIVAL_QUEUE": queue, "AMQP_URL": stack.environment["AMQP_URL"]}
    )
    keeps = () if name == "floor" else (queue,)
    return Contestant(name, rival.url, rival.process, rival.check, keeps, queues.empty)


def _start_scaled(stack: Stack, queues: Queues, names: tuple[str, ...]) -> Contestant:
    port, admin_port = stack.workspace.port(), _two_ports(stack)
    ready = [f"http://127.0.0.1:{admin_port + number}/readyz" for number in range(_SCALED_PROCESSES)]
    part = Part(
        stack,
        "ingest-scaled",
        ("ingest", "--processes", str(_SCALED_PROCESSES)),
        ready[0],
        {"VIBES_PIPELINE_INGEST_PORT": str(port), "VIBES_PIPELINE_INGEST_ADMIN_PORT": str(admin_port)},
    )
    stack.parts[part.name] = part
    wait_until_ready(
        part.process, lambda: all(map(_answers, ready)), what=part.name, log=part.log_file, timeout=_START_SECONDS
    )
    url = stack.callback_url(COMPANY).replace(f":{stack.ingest_port}/", f":{port}/")
    return _of_part(f"{OURS}_x{_SCALED_PROCESSES}", part, url, queues, names)


def _of_part(name: str, part: Part, url: str, queues: Queues, names: tuple[str, ...]) -> Contestant:
    def check() -> None:
        if part.process.poll() is not None:
            raise ServiceError(f"{part.name} ended ({part.process.returncode}): {log_tail(part.log_file)}")

    return Contestant(name, url, part.process, check, names, queues.take_callbacks)


def _two_ports(stack: Stack) -> int:
    """Return a free port whose successor is free too: each process has an admin port of its own."""
    while not is_free((port := stack.workspace.port()) + 1):
        pass
    return port


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as response:  # noqa: S310 - a loopback URL of ours
            return bool(response.status == 200)
    except (URLError, OSError):
        return False
