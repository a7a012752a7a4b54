"""One world: real services, the pipeline's parts as real processes, a stand-in for Vibes, and what faults may touch.

Methods of services block: `await asyncio.to_thread(world.rabbitmq.stop)`.
"""

import asyncio
import inspect
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self

import asyncpg
from aiohttp import web

from deploy.local.broker import Broker
from deploy.local.cluster import LocalCluster
from deploy.local.errors import ServiceError
from deploy.local.postgres import LocalPostgres
from deploy.local.services import Services
from deploy.local.stack import Stack
from simulator.api.guards import Handler, WrongBodyResponse
from simulator.app import create_app
from simulator.config import CompanyConfig, Config
from simulator.server import SIMULATOR, Simulator
from tests.chaos.fault import Link, Needs
from tests.chaos.load import POLICY, Calls, Load, Recorder
from tests.chaos.migrating import database_missing
from tests.chaos.parts import NAMES, ChaosPart
from tests.support.tcp_proxy import TcpProxy

_POLL_SECONDS = 0.05
_READY_SECONDS = 90.0
"""For parts to work again after a fault: their connections back off for up to half a minute."""


class World:
    """Up on entering, gone on leaving. One company for each fault, so that each has a story and a check of its own.

    `company_key` is that of the fault under way, whose `load` is flowing and whose `calls` are noted. `proxies` has one
    for each of `needs.proxies`. `simulator` runs in this process: `world.simulator.faults.settings` may be replaced.
    """

    stack: Stack
    postgres: LocalPostgres
    rabbitmq: Broker
    """A LocalRabbitMQ, or the LocalCluster when `needs.cluster`."""
    simulator: Simulator
    load: Load
    calls: Calls

    def __init__(self, needs: Needs, company_keys: Sequence[str], seed: int) -> None:
        self.needs = needs
        self.company_key = ""
        self.proxies: dict[Link, TcpProxy] = {}
        self.answers: dict[str, list[Mapping[str, Any]]] = {key: [] for key in company_keys}
        """By company: persons as the Person API showed them to somebody."""
        self.crm_changes: dict[str, list[Mapping[str, Any]]] = {key: [] for key in company_keys}
        """By company: what ingest took from the CRM. Who sends it notes it here."""
        self.parts: dict[str, ChaosPart] = {}
        self._company_keys = company_keys
        self._seed = seed
        self._recorder = Recorder()
        self._runner: web.AppRunner | None = None
        self._replacements = 0
        self._balancer: TcpProxy | None = None
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for variable in ("DATABASE_URL", "AMQP_URL"):
            if os.environ.get(variable):
                raise ServiceError(f"{variable} is set: chaos stops and kills services, so it starts its own; unset it")
        services = Services(settings=self.needs.postgres_settings, broker=LocalCluster if self.needs.cluster else None)
        self.stack = Stack(self._company_keys, parts=(), services=services, settings=self.needs.settings)
        await asyncio.to_thread(self.stack.__enter__)
        try:
            await self._enter()
        except BaseException:
            await self.__aexit__(ServiceError, None, None)
            raise
        return self

    async def _enter(self) -> None:
        postgres = self.stack.postgres
        assert isinstance(postgres, LocalPostgres)
        self.postgres, self.rabbitmq = postgres, self.stack.rabbitmq
        if self.needs.migrations:
            self.stack.environment["DATABASE_URL"] = await database_missing(postgres, self.needs.migrations)
        if isinstance(self.rabbitmq, LocalCluster):
            urls = [node.amqp_url for node in self.rabbitmq.nodes]
            self._balancer = await asyncio.to_thread(TcpProxy.to(*urls).start)
            self.stack.environment["AMQP_URL"] = self._balancer.url(urls[0])
        self._watching = asyncio.create_task(self._recorder.watch_clock())
        await self._start_simulator()
        for link in self.needs.proxies:
            self.proxies[link] = await asyncio.to_thread(TcpProxy.to(self._target(link)).start)
        for name in NAMES:
            self.parts[name] = self._part(name, name)
        # Workers are not ready before the database has the schema they need.
        wait = {name: name == "ingest" or not self.needs.migrations for name in NAMES}
        await asyncio.gather(*(self.start_part(name, wait=wait[name]) for name in NAMES))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await asyncio.gather(*(asyncio.to_thread(part.stop) for part in self.parts.values()))
        if self._runner is not None:
            await self._runner.cleanup()
        if self._watching is not None:
            self._watching.cancel()
        for proxy in (*self.proxies.values(), *filter(None, [self._balancer])):
            await asyncio.to_thread(proxy.close)
        await asyncio.to_thread(self.stack.__exit__, kind, error, trace)

    @property
    def database_url(self) -> str:
        """The pipeline's database, as superuser and never through a proxy."""
        return self.stack.environment["DATABASE_URL"]

    @property
    def amqp_url(self) -> str:
        """The broker, never through a proxy; a cluster through a load balancer."""
        return self.stack.environment["AMQP_URL"]

    async def sql(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run a statement in the pipeline's database, as superuser, on a connection of its own."""
        connection = await asyncpg.connect(self.database_url, server_settings={"timezone": "UTC"})
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    def part(self, name: str) -> ChaosPart:
        """Return "ingest", "apply" or "person-sync", as it is now."""
        return self.parts[name]

    def pids(self, name: str) -> list[int]:
        """Return the process ids of a part, a supervisor's first."""
        return self.parts[name].pids()

    async def start_part(self, name: str, *, wait: bool = True) -> None:
        """Start a part (again) and, unless told otherwise, wait until it is ready. Raises ServiceError."""
        await asyncio.to_thread(self.parts[name].start, wait=wait)

    async def stop_part(self, name: str) -> None:
        """SIGTERM; wait for the end of the drain. Raises ServiceError if there is none."""
        await asyncio.to_thread(self.parts[name].stop)

    async def kill_part(self, name: str) -> None:
        """SIGKILL, with its children; wait until they are gone."""
        await asyncio.to_thread(self.parts[name].kill)

    async def restart_part(self, name: str, module: str = "cli") -> None:
        """Stop a part, then start it as `python -m module`."""
        await self.stop_part(name)
        self.parts[name].module = module
        await self.start_part(name)

    async def replace_part(self, name: str) -> None:
        """Start a new one beside the old one, and stop the old one when the new one is ready.

        For ingest `needs.processes` has to be 2 or more: only a supervisor's processes share the port.
        """
        self._replacements += 1
        old, new = self.parts[name], self._part(name, f"{name}-{self._replacements}")
        await asyncio.to_thread(new.start)
        self.parts[name] = new
        await asyncio.to_thread(old.stop)

    async def working(self) -> None:
        """Wait until every part runs and says that it is ready. Raises ServiceError naming the one that is not."""
        for part in self.parts.values():
            if not part.running:
                raise ServiceError(f"{part.name} has ended: see {part.log_file}")
            ready = partial(asyncio.to_thread, part.is_ready)
            await self.until(ready, f"{part.name} is ready", _READY_SECONDS)

    async def acknowledged(self, count: int, timeout: float = 30.0) -> None:
        """Wait until so many more callbacks have got a 2xx."""
        enough = len(self.calls.acknowledged) + count
        await self.until(lambda: len(self.calls.acknowledged) >= enough, f"{count} more are acknowledged", timeout)

    async def attempted(self, count: int, timeout: float = 30.0) -> None:
        """Wait until so many more calls of ingest have ended, in whatever way."""
        enough = self.calls.ended + count
        await self.until(lambda: self.calls.ended >= enough, f"{count} more calls", timeout)

    async def until(self, condition: Callable[[], "bool | Awaitable[bool]"], what: str, timeout: float = 60.0) -> None:
        """Wait until the condition holds. Raises ServiceError with `what` if it does not in time."""
        deadline = time.monotonic() + timeout
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            if time.monotonic() > deadline:
                raise ServiceError(f"waited {timeout:g} s in vain: {what}")
            await asyncio.sleep(_POLL_SECONDS)

    async def last(self, seconds: float) -> None:
        """Let things go on as they are for so long."""
        await asyncio.sleep(seconds)

    def begin(self, company_key: str, random: Random, rate: float) -> None:
        """Let the callbacks of another company flow; each company's turn comes once."""
        self.company_key = company_key
        path = self.stack.callback_url(company_key).partition(f":{self.stack.ingest_port}")[2]
        self.calls = self._recorder.calls_to(path)
        self.load = Load(self.simulator.company(company_key), self.simulator.session, random, rate)
        self.load.begin()

    def _part(self, name: str, label: str) -> ChaosPart:
        return ChaosPart(
            self.stack.workspace,
            name,
            self._environment(name),
            processes=self.needs.processes.get(name, 1),
            module=self.needs.modules.get(name, "cli"),
            label=label,
        )

    def _environment(self, name: str) -> dict[str, str]:
        environment = dict(self.stack.environment)
        for (who, what), proxy in self.proxies.items():
            if who != name:
                continue
            if what == "vibes":
                environment["VIBES_PIPELINE_COMPANIES_FILE"] = self._companies_file_through(proxy)
            else:
                variable = "AMQP_URL" if what == "broker" else "DATABASE_URL"
                environment[variable] = proxy.url(environment[variable])
        return environment | dict(self.needs.part_settings.get(name, {}))

    def _target(self, link: Link) -> str:
        return {"broker": self.amqp_url, "postgres": self.database_url, "vibes": self.stack.simulator_url}[link[1]]

    def _companies_file_through(self, proxy: TcpProxy) -> str:
        whole = (self.stack.directory / "companies.toml").read_text()
        file = self.stack.directory / "companies-through-proxy.toml"
        file.write_text(whole.replace(self.stack.simulator_url, proxy.url(self.stack.simulator_url)))
        return str(file)

    async def _start_simulator(self) -> None:
        companies = tuple(
            CompanyConfig(key, f"{key}@example.com", company.password, self.stack.callback_url(key))
            for key, company in self.stack.companies.items()
        )
        config = Config(companies, seed=self._seed, port=self.stack.simulator_port, delivery=POLICY)
        app = create_app(config, traces=[self._recorder.trace])
        app.middlewares.append(self._note_answer)
        self.simulator = app[SIMULATOR]
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, config.host, config.port).start()

    @property
    def _note_answer(self) -> Any:
        @web.middleware
        async def note_answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await handler(request)
            company_key = request.match_info.get("company_key", "")
            if company_key in self.answers and response.status in (200, 201) and isinstance(response, web.Response):
                self.answers[company_key] += _persons_in(response)
            return response

        return note_answer


def _persons_in(response: web.Response) -> list[Mapping[str, Any]]:
    if not isinstance(response.body, bytes) or isinstance(response, WrongBodyResponse):
        return []
    shown = json.loads(response.body)
    everybody = shown if isinstance(shown, list) else [shown]
    return [each for each in everybody if isinstance(each, dict) and "person_id" in each and "updated_at" in each]
