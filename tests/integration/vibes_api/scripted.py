"""A server that answers, and fails, as Vibes is documented to; and a watch over what the client does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from vibes_api import Call, CallbackSpec, PersonPatch, VibesClient

if TYPE_CHECKING:
    from types import TracebackType

PERSON = {"person_key": "k-1", "mobile_phone": {"mdn": "+12135551234"}, "url": "http://127.0.0.1:1/evil"}
PATCH = PersonPatch(custom_fields={"zip": None})
SPEC = CallbackSpec(callback_type="person_added", url="https://h/x")

Responder = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Use = Callable[[VibesClient], Awaitable[object]]


def reply(status: int, body: Any = b"", headers: dict[str, str] | None = None) -> Responder:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, body=content, headers=headers)

    return respond


async def reset(request: web.BaseRequest) -> web.StreamResponse:
    """Break the connection before a byte of the answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def reset_in_mid_body(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"person_key":')
    return await reset(request)


async def never_ending_body(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b" " * 1024 * 1024)
    except ConnectionResetError:  # the client has seen enough
        return response


@dataclass
class Seen:
    """What arrived at the server."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Vibes:
    """A server that answers one request after the other as scripted, the last answer again and again."""

    url: str = ""
    script: list[Responder] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        parsed = json.loads(body) if body else None
        self.seen.append(Seen(request.method, request.raw_path, dict(request.headers), parsed))
        respond = self.script[min(len(self.seen), len(self.script)) - 1]
        return await respond(request)

    async def hang(self, _request: web.BaseRequest) -> web.StreamResponse:
        await self.closing.wait()
        return web.Response()

    async def hang_in_mid_body(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"{")
        return await self.hang(request)


@dataclass
class Watch:
    """Observer and limiter in one: what was called and when it was let in. Sleeping takes no time."""

    calls: list[Call] = field(default_factory=list)
    entered: int = 0
    left_with: list[BaseException | None] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def __call__(self, call: Call) -> None:
        self.calls.append(call)

    async def __aenter__(self) -> None:
        self.entered += 1

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None, /
    ) -> None:
        self.left_with.append(exc)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    @property
    def outcomes(self) -> list[tuple[int | None, str | None]]:
        return [(call.status, call.error) for call in self.calls]
