"""What stands before every route of the platform API: counting, refusing, credentials, the rate limit, faults."""

import asyncio
import hmac
import socket
import struct
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from simulator.api.context import answer, answer_refusal, api_version, company_of, simulator_of
from simulator.config import CompanyConfig
from simulator.errors import ForbiddenError, RefusedError, TooManyRequestsError, UnauthorizedError
from simulator.faults import Fault

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CutOffResponse(web.StreamResponse):
    """Stands for an answer that never arrived whole; `outcome` says why."""

    def __init__(self, outcome: str) -> None:
        super().__init__()
        self.outcome = outcome


class WrongBodyResponse(web.Response):
    """Stands for an answer whose body has become another one on its way."""

    outcome = "wrong body"

    def __init__(self, right: web.StreamResponse, body: bytes) -> None:
        super().__init__(status=right.status, body=body, content_type="application/json")


@web.middleware
async def count_calls(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the call under its route and its status, `hang`, `reset` or `wrong body`."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    try:
        response = await handler(request)
    except web.HTTPException as error:
        _count(request, route, str(error.status))
        raise
    _count(request, route, getattr(response, "outcome", str(response.status)))
    return response


def _count(request: web.Request, route: str, outcome: str) -> None:
    company_key = request.match_info.get("company_key", "")
    simulator_of(request).calls[company_key, request.method, route, outcome] += 1


@web.middleware
async def answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn a refusal into its answer; an old guide of Vibes says that 404 and 409 have no body."""
    try:
        return await handler(request)
    except RefusedError as refusal:
        if refusal.status in (404, 409) and simulator_of(request).faults.settings.empty_error_bodies:
            return web.Response(status=refusal.status)
        return answer_refusal(refusal)


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let callers with the company's credentials pass."""
    companies = simulator_of(request).config.companies
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    theirs = [company for company in companies if scheme.lower() == "basic" and _knows(company, credentials)]
    if not theirs:
        raise UnauthorizedError("The user name or password is wrong, or missing")
    company = company_of(request).config
    if company not in theirs:
        raise ForbiddenError("These credentials are for another company")
    return await handler(request)


def _knows(company: CompanyConfig, credentials: str) -> bool:
    right = b64encode(f"{company.username}:{company.password}".encode())
    return hmac.compare_digest(credentials.encode(), right)


@web.middleware
async def limit_rate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 429 to what exceeds the company's rate; Vibes documents no headers that tell how long to wait."""
    if not company_of(request).limit.admit(asyncio.get_running_loop().time()):
        raise TooManyRequestsError("Too Many Requests")
    return await handler(request)


@web.middleware
async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let go wrong what the settings ask for, and check the API version."""
    api_version(request)
    faults = simulator_of(request).faults
    mishap = faults.draw()
    if mishap.delay:
        await asyncio.sleep(mishap.delay)
    match mishap.fault:
        case Fault.ERROR:
            return answer({"errors": [{"message": "Internal error", "code": mishap.status}]}, mishap.status)
        case Fault.TOO_MANY_REQUESTS:
            raise TooManyRequestsError("Too Many Requests")
        case Fault.HANG:
            await handler(request)
            return await _hang(request, faults.settings.hang_seconds)
        case Fault.RESET:
            return await _reset(request, await handler(request))
        case Fault.WRONG_BODY:
            return WrongBodyResponse(await handler(request), mishap.body)
        case None:
            return await handler(request)


async def _hang(request: web.Request, seconds: float) -> CutOffResponse:
    """Say nothing for so long, or until the simulator stops; then cut the connection."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await simulator_of(request).stopping.wait()
    _cut(request)
    return CutOffResponse("hang")


async def _reset(request: web.Request, whole: web.StreamResponse) -> CutOffResponse:
    """Send the head and half of the body, then reset the connection."""
    body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b""
    part = CutOffResponse("reset")
    part.set_status(whole.status)
    part.content_length = max(len(body), 2)
    part.content_type = "application/json"
    await part.prepare(request)
    await part.write(body[: len(body) // 2] or b"{")
    _cut(request)
    return part


def _cut(request: web.Request) -> None:
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    # Lingering for no time makes the kernel send a reset instead of an orderly end.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


GUARDS = (count_calls, answer_refusals, authenticate, limit_rate, misbehave)
"""In the order a request meets them."""
