"""The message between ingest and the apply workers: one or more callbacks of one company.

Layout, version 1: one line of JSON (the envelope), a newline, then the callback bodies byte for byte, back to
back. The envelope says how long each body is. Bodies stay raw bytes, so what Vibes sent is what is kept, and an
operator who looks at a message in the broker's own console can read it
(docs/decisions/0002-broker-message.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from schemas.errors import MessageError
from schemas.versions import check_version

VERSION = 1
CONTENT_TYPE = "application/vnd.vibes-pipeline.callbacks"
_MOST = 2**63
"""PostgreSQL's bigint ends before."""


class ReceivedCallback(NamedTuple):
    """One HTTP request from Vibes, as it came.

    A tuple: it is made several times as fast as a frozen dataclass, once for each callback, here and in the worker.
    """

    body: bytes
    received_at: datetime
    """When ingest had read the request; aware, UTC, microseconds."""
    source_ip: str
    method: str
    endpoint: str
    """The configured name of the endpoint, never its key."""
    headers: Mapping[str, str] = MappingProxyType({})
    """The request's headers worth keeping, names in lower case."""


@dataclass(frozen=True, slots=True)
class CallbackMessage:
    """A group of callbacks of one company, published and confirmed as one broker message."""

    message_id: UUID
    company_key: str
    ingest_id: str
    """The ingest process that published the message; new at each start of a process."""
    acknowledged: int
    """How many callbacks of this company that process had acknowledged (2xx) before it published this message.
    The audit takes the greatest of these as the number the pipeline has to account for."""
    callbacks: tuple[ReceivedCallback, ...]
    """May be empty: then the message only reports `acknowledged`."""


def encode(message: CallbackMessage) -> bytes:
    """Return the body of the broker message."""
    envelope = {
        "version": VERSION,
        "message_id": message.message_id,
        "company_key": message.company_key,
        "ingest_id": message.ingest_id,
        "acknowledged": message.acknowledged,
        "callbacks": [
            {
                "bytes": len(body),
                "received_at": received_at.timestamp(),
                "source_ip": source_ip,
                "method": method,
                "endpoint": endpoint,
                "headers": headers,
            }
            for body, received_at, source_ip, method, endpoint, headers in message.callbacks
        ],
    }
    return b"".join([orjson.dumps(envelope), b"\n", *[callback.body for callback in message.callbacks]])


def decode(body: bytes) -> CallbackMessage:
    """Read what `encode` of this or a neighbouring release wrote; unknown envelope fields are ignored.

    Raises LaterVersionError for one of a later release, and MessageError `unreadable_envelope` or `unknown_version`
    when the message is not one of ours.
    """
    head, newline, bodies = body.partition(b"\n")
    try:
        envelope = orjson.loads(head)
        check_version(envelope["version"], VERSION)
        callbacks, end = _split(envelope["callbacks"], bodies)
        if not newline or end != len(bodies):
            raise MessageError("unreadable_envelope", "the bodies are not as long as the envelope says")
        return CallbackMessage(
            message_id=UUID(envelope["message_id"]),
            company_key=str(envelope["company_key"]),
            ingest_id=str(envelope["ingest_id"]),
            acknowledged=_read_count(envelope["acknowledged"]),
            callbacks=callbacks,
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MessageError("unreadable_envelope", type(error).__name__) from error


def _read_count(value: Any) -> int:
    """Return a number the database can hold. Raises TypeError or ValueError."""
    count = int(value)
    if not 0 <= count < _MOST:
        raise ValueError
    return count


def _split(items: list[dict[str, Any]], bodies: bytes) -> tuple[tuple[ReceivedCallback, ...], int]:
    """Cut `bodies` as the envelope's items say; return the callbacks and where the last one ended."""
    callbacks = []
    start = 0
    for item in items:
        end = start + item["bytes"]
        source_ip, method, endpoint, headers = item["source_ip"], item["method"], item["endpoint"], item["headers"]
        if not (type(source_ip) is type(method) is type(endpoint) is str and type(headers) is dict and end >= start):
            raise TypeError
        callbacks.append(
            # By position: with names it takes nearly twice as long.
            ReceivedCallback(
                bodies[start:end],
                datetime.fromtimestamp(item["received_at"], UTC),
                source_ip,
                method,
                endpoint,
                headers,
            )
        )
        start = end
    return tuple(callbacks), start
