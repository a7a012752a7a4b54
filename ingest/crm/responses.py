"""Answers of the CRM's intake as HTTP: always JSON."""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import hdrs, web

from ingest.crm.refusals import CannotTakeError

_RETRY_AFTER_SECONDS = "5"
_HEADERS = {
    401: {hdrs.WWW_AUTHENTICATE: "Bearer"},
    405: {hdrs.ALLOW: hdrs.METH_POST},
    415: {hdrs.ACCEPT_ENCODING: "gzip"},
    503: {hdrs.RETRY_AFTER: _RETRY_AFTER_SECONDS},
}


def respond(status: int, content: Mapping[str, Any]) -> web.Response:
    """Return an answer with that content, and the headers its status needs."""
    response = web.Response(status=status, headers=_HEADERS.get(status))
    return fill(response, content)


def respond_refused(refused: CannotTakeError) -> web.Response:
    """Return the answer to a request of which nothing is taken."""
    return respond(refused.status, error(refused.reason, refused.detail))


def fill(response: web.Response, content: Mapping[str, Any]) -> web.Response:
    """Put a content into an answer, and return it."""
    response.body = orjson.dumps(content)
    response.content_type = "application/json"
    return response


def error(reason: str, detail: str) -> dict[str, Any]:
    """Return the content of an answer without results."""
    return {"error": {"reason": reason, "detail": detail}}
