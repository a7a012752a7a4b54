"""What every route of the platform API needs: who asks, in which version, with what; and how to answer."""

from typing import Any

import orjson
from aiohttp import web

from simulator.company import Company
from simulator.errors import BadFormatError, RefusedError
from simulator.model import JsonObject
from simulator.server import SIMULATOR, Simulator


def simulator_of(request: web.Request) -> Simulator:
    """Return the simulator that is asked."""
    return request.config_dict[SIMULATOR]


def company_of(request: web.Request) -> Company:
    """Return the company of the path.

    Raises:
        UnknownRecordError: there is none with this key.

    """
    return simulator_of(request).company(request.match_info["company_key"])


def api_version(request: web.Request) -> int:
    """Return the version the caller speaks. Vibes takes a missing header for version 1.

    Raises:
        BadFormatError: there is no such version.

    """
    version = request.headers.get("X-API-Version", "1")
    if version not in ("1", "2"):
        raise BadFormatError("X-API-Version must be 1 or 2")
    return int(version)


async def read_object(request: web.Request) -> JsonObject:
    """Return the JSON object of the body.

    Raises:
        BadFormatError: it is not one.

    """
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise BadFormatError("The body is not JSON") from error
    if not isinstance(body, dict):
        raise BadFormatError("The body must be a JSON object")
    return body


def answer(data: Any, status: int = 200) -> web.Response:
    """Return a JSON answer."""
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


def answer_refusal(refusal: RefusedError) -> web.Response:
    """Return the answer to a request that is refused, with Vibes' errors array."""
    return answer({"errors": [{"message": refusal.message, "code": refusal.code}]}, refusal.status)
