"""What all routes share: the companies, the faults, the runs, the counters."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import aiohttp
from aiohttp import web

from simulator.company import Company, finish
from simulator.config import Config
from simulator.errors import ConflictError, UnknownRecordError
from simulator.faults import Faults
from simulator.runs import Run, RunSpec
from simulator.seeds import seeded


class Simulator:
    """A whole simulator; it works between `start` and `stop`, in one event loop.

    `clock` gives the time of what is done through the API; stories have their own. `traces` see every request of the
    senders.
    """

    def __init__(
        self, config: Config, clock: Callable[[], datetime], traces: Sequence[aiohttp.TraceConfig] = ()
    ) -> None:
        self.config = config
        self.clock = clock
        self._traces = list(traces)
        self.companies = {
            company.company_key: Company(company, config.seed, config.rate_limit) for company in config.companies
        }
        self.faults = Faults(config.faults, seeded(config.seed, "faults"))
        self.calls: Counter[tuple[str, str, str, str]] = Counter()
        self.runs: dict[str, Run] = {}
        self.stopping = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self._echoes: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to send what the API's use gives rise to."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # the senders bound their own connections
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=self._traces,
        )
        self._echoes = [
            asyncio.create_task(company.send_echoes(self._session, self.config.delivery))
            for company in self.companies.values()
        ]

    async def stop(self) -> None:
        """Break off the runs, give the echoes on their way the time of one attempt, close all connections."""
        for run in self.runs.values():
            await run.stop()
        for company in self.companies.values():
            company.stop_echoes()
        await asyncio.gather(*(finish(task, self.config.delivery.timeout_seconds) for task in self._echoes))
        if self._session is not None:
            await self._session.close()

    def company(self, company_key: str) -> Company:
        """Return the company with this key.

        Raises:
            UnknownRecordError: there is none.

        """
        if company_key not in self.companies:
            raise UnknownRecordError("No company has this company_key")
        return self.companies[company_key]

    @property
    def session(self) -> aiohttp.ClientSession:
        """What the senders send with."""
        if self._session is None:
            raise RuntimeError("the simulator is not started: call start() first")
        return self._session

    def start_run(self, spec: RunSpec) -> Run:
        """Begin a run.

        Raises:
            UnknownRecordError: no such company.
            ConflictError: another run is telling a story of this company.
            UnprocessableError: a setting of the delivery policy is wrong.

        """
        session = self.session
        # Two clocks in one MobileDB would make the times of its events contradict their order.
        if spec.callbacks and any(run.tells_story_of(spec.company_key) for run in self.runs.values()):
            raise ConflictError("A run is telling a story of this company: wait until it is finished")
        run = Run(str(len(self.runs) + 1), spec, self.company(spec.company_key), self.config)
        self.runs[run.run_id] = run
        run.start(session)
        return run


SIMULATOR: web.AppKey[Simulator] = web.AppKey("simulator", Simulator)
"""Where the application keeps it."""
