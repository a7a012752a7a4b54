"""A running simulator, and a receiver of its callbacks that misbehaves as told."""

import asyncio
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from simulator.config import CompanyConfig, Config, DeliveryPolicy

V2 = {"X-API-Version": "2"}
PERSONS = "/companies/acme/mobiledb/persons"
LISTS = "/companies/acme/mobiledb/subscription_lists"
QUICK = DeliveryPolicy(timeout_seconds=10, retry_delays=(0.02, 0.05), max_attempts=5, downed_seconds=0.1)


def basic(username: str, password: str) -> dict[str, str]:
    """The header of HTTP Basic authentication."""
    return {"Authorization": f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"}


ME = basic("me@example.com", "secret")


Behaviour = Callable[[int], int | Awaitable[int]]
"""The status of the answer to the n-th request."""


class Receiver:
    """A tiny receiver of callbacks. `behave` decides on each answer; it is given the number of the request."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.kinds: Counter[tuple[str, str]] = Counter()
        self.behave: Behaviour = lambda _: 202
        self.released = asyncio.Event()
        self._arrived = asyncio.Condition()
        app = web.Application(client_max_size=2**22)
        app.router.add_route("*", "/callbacks/key", self._receive)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/callbacks/key"))

    async def _receive(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        number = len(self.bodies)
        self.kinds[request.method, request.content_type] += 1
        async with self._arrived:
            self._arrived.notify_all()
        status = self.behave(number)
        if not isinstance(status, int):
            status = await status
        headers = {"X-Receipt-Id": f"receipt-{number}"} if status == 202 else {"Location": "/elsewhere"}
        return web.Response(status=status, headers=headers)

    async def wait_for(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many callbacks have arrived, and return what they carried."""
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(lambda: len(self.bodies) >= count)
        return self.events()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]


class Vibes:
    """A running simulator and a session to call it with."""

    def __init__(self, server: TestServer, session: aiohttp.ClientSession) -> None:
        self._server = server
        self._session = session

    def request(self, method: str, path: str, body: Any = None, **more: Any) -> aiohttp.client._RequestContextManager:
        url = self._server.make_url("/").join(URL(path, encoded=True))
        return self._session.request(method, url, json=body, **({"headers": ME | V2} | more))

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        async with self.request(method, path, body, **more) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def run(self, **spec: Any) -> Any:
        """Start a run and wait for its end."""
        status, answer = await self.call("POST", "/_simulator/runs", {"company_key": "acme", **spec})
        assert status == 201
        return await self.finished(answer["id"])

    async def finished(self, run_id: str) -> Any:
        return await self.until(f"/_simulator/runs/{run_id}", lambda figures: figures["state"] != "running")

    async def until(self, path: str, condition: Callable[[Any], bool]) -> Any:
        """Ask again until the answer fulfils the condition, and return it."""
        async with asyncio.timeout(30):
            while True:
                _, answer = await self.call("GET", path)
                if condition(answer):
                    return answer
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        await self._server.close()

    async def lines(self, path: str) -> list[dict[str, Any]]:
        async with self._session.get(self._server.make_url(f"/_simulator/{path}")) as response:
            return [json.loads(line) for line in (await response.text()).splitlines()]

    async def ledger(self) -> list[dict[str, Any]]:
        return await self.lines("ledger?company_key=acme")


def config(url: str | None, **more: Any) -> Config:
    companies = (
        CompanyConfig("acme", "me@example.com", "secret", url),
        CompanyConfig("other", "other@example.com", "secret"),
    )
    return replace(Config(companies, delivery=QUICK, rate_limit=10_000), **more)
