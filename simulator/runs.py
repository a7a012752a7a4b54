"""Runs: a story, told to a receiver with duplicates, disorder and malformed bodies."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from time import monotonic

import aiohttp

from simulator.company import Company
from simulator.config import Config
from simulator.delivery import Callback, choose, interleave, shuffle
from simulator.documented import COUNT, documented_events
from simulator.errors import UnprocessableError
from simulator.events import Kind
from simulator.malformed import malformed_events
from simulator.model import JsonObject
from simulator.scenario.generator import tell
from simulator.scenario.stage import Stage
from simulator.seeds import seeded
from simulator.sender import Pace, Planned, Sender
from simulator.settings import read
from simulator.stats import Stats

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What to send.

    `callbacks` events of a story with at least `persons` people and `lists` lists; besides them `malformed` bodies
    and, if `documented`, the bodies of Vibes' documentation. `duplicate_ratio` (0 to 1) of the story's events are
    delivered twice. Callbacks overtake each other within `shuffle_window` (1 keeps the order). `rate` is callbacks a
    second, in bursts of `burst`; None is as fast as possible. `delivery` overrides settings of the delivery policy,
    and `concurrency` is the number of connections. Without a `seed` it is the simulator's.
    """

    company_key: str
    callbacks: int = 0
    persons: int = 100
    lists: int = 3
    duplicate_ratio: float = 0.0
    malformed: int = 0
    documented: bool = False
    rate: float | None = None
    burst: int = 1
    concurrency: int | None = None
    shuffle_window: int = 1
    seed: int | None = None
    delivery: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.duplicate_ratio <= 1:
            raise UnprocessableError("duplicate_ratio must be between 0 and 1")
        for name in ("persons", "lists", "burst", "shuffle_window"):
            if getattr(self, name) < 1:
                raise UnprocessableError(f"{name} must be at least 1")
        for name in ("callbacks", "malformed"):
            if getattr(self, name) < 0:
                raise UnprocessableError(f"{name} must not be negative")
        if (self.rate is not None and self.rate <= 0) or (self.concurrency is not None and self.concurrency < 1):
            raise UnprocessableError("rate and concurrency must be positive, or null")


class RunState(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Run:
    """One run, going on or over."""

    def __init__(self, run_id: str, spec: RunSpec, company: Company, config: Config) -> None:
        self.run_id = run_id
        self.stats = Stats()
        self._company = company
        self._spec = spec
        policy = read(config.delivery, spec.delivery)
        self._policy = replace(policy, concurrency=spec.concurrency or policy.concurrency)
        # The number of the run keeps two runs with one seed from sending the same ids.
        seed = config.seed if spec.seed is None else spec.seed
        self._rng = seeded(seed, company.config.company_key, "run", company.runs)
        company.runs += 1
        self._begun = monotonic()
        self._ended: float | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, session: aiohttp.ClientSession) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._send(session), name=f"run {self.run_id}")
        self._task.add_done_callback(self._end)

    async def stop(self) -> None:
        """Break it off, unless it is over. What was not delivered stays pending in the ledger."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def state(self) -> RunState:
        """How far it is."""
        if self._task is None or not self._task.done():
            return RunState.RUNNING
        if self._task.cancelled():
            return RunState.CANCELLED
        return RunState.FAILED if self._task.exception() else RunState.FINISHED

    def tells_story_of(self, company_key: str) -> bool:
        """Whether it is changing this company's MobileDB now."""
        return self.state is RunState.RUNNING and self._spec.callbacks > 0 and self._spec.company_key == company_key

    def to_json(self) -> JsonObject:
        """Return its state and figures."""
        seconds = (self._ended or monotonic()) - self._begun
        return {
            "id": self.run_id,
            "company_key": self._spec.company_key,
            "state": self.state,
            "seconds": round(seconds, 3),
            **self.stats.to_json(),
        }

    async def _send(self, session: aiohttp.ClientSession) -> None:
        pace = Pace(self._spec.rate, self._spec.burst)
        await Sender(session, Planned(self._callbacks()), self._policy, self.stats, pace).run()

    def _callbacks(self) -> Iterator[Callback]:
        """Yield the callbacks in the order they are to be sent; the MobileDB changes as they are taken."""
        spec, rng = self._spec, self._rng
        documented = COUNT if spec.documented else 0
        self.stats.planned = spec.callbacks + int(spec.callbacks * spec.duplicate_ratio) + spec.malformed + documented
        return shuffle(rng, self._routed(documented), spec.shuffle_window)

    def _routed(self, documented: int) -> Iterator[Callback]:
        """Each source of chance has its own generator: more malformed bodies do not change the story."""
        spec, rng, company = self._spec, self._rng, self._company
        seed = rng.getrandbits(64)
        stage = Stage(company.db, seeded(seed, "story"), company.story_time)
        stage.populate(spec.persons, spec.lists)
        twice = choose(seeded(seed, "duplicates"), spec.callbacks, spec.duplicate_ratio)
        events = interleave(
            seeded(seed, "order"),
            (spec.callbacks, tell(stage, spec.callbacks)),
            (spec.malformed, malformed_events(seeded(seed, "malformed"), spec.malformed)),
            (documented, documented_events()),
        )
        for event in events:
            company.story_time = max(company.story_time, stage.now)
            wanted_twice = event.kind is Kind.EVENT and next(twice)
            callbacks = company.router.callbacks(event, stage.now)
            self.stats.planned += (len(callbacks) - 1) * (2 if wanted_twice else 1)
            self.stats.unregistered += not callbacks
            for callback in callbacks:
                callback.wanted_twice = wanted_twice
                yield callback

    def _end(self, task: asyncio.Task[None]) -> None:
        self._ended = monotonic()
        if not task.cancelled() and (error := task.exception()):
            logger.error("run %s failed", self.run_id, exc_info=error)
