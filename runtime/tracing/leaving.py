"""What of a span may leave the process. Pure.

Instrumentations put into spans what helps them: addresses, which here hold endpoint keys and ids of persons, and texts
of errors, which quote rows. So a span leaves with the attributes named here and no others, whatever a future version of
them adds.
"""

import re
from collections.abc import Mapping

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, Status

OUR_ATTRIBUTES = "vibes."
KEPT = frozenset(
    {
        # HTTP, in the words of both conventions the instrumentations know
        "http.method",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "http.status_code",
        "error.type",
        "url.scheme",
        # where to
        "net.peer.name",
        "net.peer.port",
        "server.address",
        "server.port",
        # broker
        "messaging.batch.message_count",
        "messaging.destination",
        "messaging.message.id",
        "messaging.operation",
        "messaging.system",
        # database
        "db.name",
        "db.namespace",
        "db.system",
        "db.system.name",
    }
)
STATEMENT_NAME = "db.query.summary"
_STATEMENTS = ("db.statement", "db.query.text")
_SYSTEMS = ("db.system", "db.system.name")
_WORD = re.compile(r"[A-Za-z]+;?")
_NAME = re.compile(r"[A-Za-z_]\w*")
_ERROR = "exception.type"


def leaving(span: ReadableSpan, statement_names: Mapping[str, str]) -> ReadableSpan | None:
    """Return what may leave of a span; None: nothing.

    `statement_names` are the names of our SQL statements by their texts: a statement leaves by its name only. One that
    is no part of anything (a sweep that finds nothing, a question whether the server is there) does not leave at all.
    """
    attributes = span.attributes or {}
    is_statement = any(name in attributes for name in _SYSTEMS)
    if is_statement and span.parent is None:
        return None
    kept = {name: value for name, value in attributes.items() if name in KEPT or name.startswith(OUR_ATTRIBUTES)}
    name = span.name
    if is_statement:
        known = next((statement_names.get(str(attributes[each])) for each in _STATEMENTS if each in attributes), None)
        name = known or (name if _WORD.fullmatch(name) else "SQL")
        kept[STATEMENT_NAME] = name
    return ReadableSpan(
        name=name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=kept,
        events=[_event(each) for each in span.events],
        links=[Link(each.context) for each in span.links],
        kind=span.kind,
        status=_status(span.status),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _event(event: Event) -> Event:
    """Of an error its class only."""
    told = event.attributes or {}
    return Event(event.name, {_ERROR: told[_ERROR]} if _ERROR in told else {}, event.timestamp)


def _status(status: Status) -> Status:
    """Without the text of an error behind its class."""
    kind = (status.description or "").partition(":")[0]
    return Status(status.status_code, kind if _NAME.fullmatch(kind) else None)
