"""From the status, headers and body of an HTTP answer to a value or an error. No I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from vibes_api.bodies import decode_body
from vibes_api.error_body import parse_errors
from vibes_api.errors import MalformedResponse, RateLimited, error_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vibes_api.values import JsonValue

MAX_BODY_BYTES = 8 * 1024 * 1024
_KEPT_OF_ERROR_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came. `body` is None when it was larger than MAX_BODY_BYTES."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its status and its JSON value, None when the body was empty."""

    status: int
    data: JsonValue


def read_answer(raw: RawAnswer, *, route: str, attempt: int) -> Answer:
    """Return the Answer of a 2xx; raise the VibesError for everything else.

    The body of an error is only an explanation: whatever it holds, the status decides.
    """
    if raw.status // 100 == 2:
        return Answer(raw.status, _json(raw, route=route, attempt=attempt))
    body = raw.body or b""
    error = error_class(raw.status)
    raise error(
        route,
        status=raw.status,
        errors=parse_errors(body),
        body=body[:_KEPT_OF_ERROR_BODY],
        attempt=attempt,
        retry_after=retry_after_seconds(raw.headers),
        never_processed=error is RateLimited,
    )


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header, None when there is none that can be read.

    A date is taken relative to the answer's own Date header, so that this machine's clock does not matter.
    """
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        return _until(value, headers.get("Date", ""))
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _until(value: str, now: str) -> float | None:
    try:
        seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError):  # TypeError: one of the dates lacks a zone
        return None
    return max(seconds, 0.0)


def _json(raw: RawAnswer, *, route: str, attempt: int) -> JsonValue:
    if raw.body is None:
        reason = f"the body is larger than {MAX_BODY_BYTES} bytes"
    else:
        try:
            return decode_body(raw.body)
        except ValueError as error:
            reason = str(error)
    raise MalformedResponse(route, status=raw.status, reason=reason, attempt=attempt)
