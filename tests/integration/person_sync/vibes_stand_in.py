"""A small real HTTP server in the place of Vibes: it keeps persons, and does as a test tells it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

UPDATED = "2024-05-01T10:00:00Z"


@dataclass(frozen=True)
class Request:
    """One request that arrived."""

    company_key: str
    method: str
    person: str
    """The person_key, person_id or `external/` and the external id of the path; empty for a POST."""
    body: dict[str, Any] | None


@dataclass
class VibesStandIn:
    """What it holds, what it was asked, and how it is to answer."""

    url: str = ""
    persons: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By what stands for a person in a path."""
    requests: list[Request] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    """Statuses the next requests are answered with."""
    refuse: Callable[[Request], int | None] = lambda _request: None
    """The status a request is refused with, for as long as this is set."""
    errors: dict[str, Any] = field(default_factory=dict)
    """The body of a refusal."""
    on_request: Callable[[Request], Awaitable[None] | None] = lambda _request: None
    """Done when a request has arrived, before it is answered."""
    ignore_writes: bool = False
    """Whether writes are answered with the person as it was."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """While this is cleared, requests wait for their answer."""
    seconds: float = 0.0
    """How long an answer takes."""
    under_way: Counter[str] = field(default_factory=Counter)
    most_under_way: int = 0
    """Most requests for one person at a time; its key and its external id have to be alike for that."""
    most_at_once: int = 0
    """Most requests at a time."""

    def __post_init__(self) -> None:
        self.open.set()

    def add(self, *paths: str, **person: Any) -> None:
        """Have a person, found under these paths."""
        one = {"updated_at": UPDATED, **person}
        self.persons.update((path, one) for path in paths)

    def asked(self, method: str) -> list[Request]:
        """The requests with that method."""
        return [request for request in self.requests if request.method == method]

    async def _answer(self, request: web.Request) -> web.Response:
        person = request.match_info.get("person", "")
        body = await request.json() if request.can_read_body else None
        asked = Request(request.match_info["company"], request.method, person, body)
        self.requests.append(asked)
        whom = person.removeprefix("external/")
        self.under_way[whom] += 1
        self.most_under_way = max(self.most_under_way, self.under_way[whom])
        self.most_at_once = max(self.most_at_once, self.under_way.total())
        try:
            if (doing := self.on_request(asked)) is not None:
                await doing
            await asyncio.sleep(self.seconds)
            await self.open.wait()
            return self._decide(asked)
        finally:
            self.under_way[whom] -= 1

    def _decide(self, asked: Request) -> web.Response:
        status = self.refusals.pop(0) if self.refusals else self.refuse(asked)
        if status is not None:
            return web.json_response(self.errors, status=status) if self.errors else web.Response(status=status)
        if asked.method == "POST":
            return web.json_response({"person_key": "added", "updated_at": UPDATED, **(asked.body or {})}, status=201)
        held = self.persons.get(asked.person)
        if held is None:
            return web.Response(status=404)
        if asked.body and not self.ignore_writes:
            fields = {**held.get("custom_fields", {}), **asked.body.get("custom_fields", {})}
            held.update(asked.body)
            held.update(custom_fields=fields, updated_at="2024-05-02T10:00:00Z")
        return web.json_response(held)


@asynccontextmanager
async def run_vibes() -> AsyncIterator[VibesStandIn]:
    """Serve on a free loopback port."""
    vibes = VibesStandIn()
    app = web.Application()
    root = "/companies/{company}/mobiledb/persons"
    app.router.add_route("*", root + "/", vibes._answer)
    app.router.add_route("*", root + "/{person:.+}", vibes._answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vibes.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vibes
    finally:
        vibes.open.set()
        await runner.cleanup()
