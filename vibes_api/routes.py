"""The routes of the platform that this client uses, and how their addresses are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path template below `/companies/{company_key}`.

    `repeatable` says that a second request after a lost answer does no harm.
    """

    method: str
    template: str
    repeatable: bool = True

    @property
    def label(self) -> str:
        """The name of the route in errors and metrics: few values, never an id."""
        return f"{self.method} {self.template.removeprefix('/mobiledb')}"


_PERSONS = "/mobiledb/persons"
_BY_KEY = f"{_PERSONS}/{{person_key}}"
_BY_EXTERNAL_ID = f"{_PERSONS}/external/{{external_person_id}}"

GET_PERSON = Route("GET", _BY_KEY)
GET_PERSON_BY_EXTERNAL_ID = Route("GET", _BY_EXTERNAL_ID)
FIND_PERSONS = Route("GET", _PERSONS)
# POST again with the same identifiers is answered 200 and changes nothing.
ADD_PERSON = Route("POST", f"{_PERSONS}/")
UPDATE_PERSON = Route("PUT", _BY_KEY)
UPDATE_PERSON_BY_EXTERNAL_ID = Route("PUT", _BY_EXTERNAL_ID)

LIST_SUBSCRIPTIONS = Route("GET", f"{_BY_KEY}/subscriptions")
LIST_SUBSCRIPTIONS_BY_EXTERNAL_ID = Route("GET", f"{_BY_EXTERNAL_ID}/subscriptions")
GET_SUBSCRIPTION = Route("GET", f"{_BY_KEY}/subscriptions/{{list_id}}")
GET_SUBSCRIPTION_BY_EXTERNAL_ID = Route("GET", f"{_BY_EXTERNAL_ID}/subscriptions/{{list_id}}")
UNSUBSCRIBE = Route("DELETE", f"{_BY_KEY}/subscriptions/{{list_id}}")
UNSUBSCRIBE_BY_EXTERNAL_ID = Route("DELETE", f"{_BY_EXTERNAL_ID}/subscriptions/{{list_id}}")

LIST_CAMPAIGNS = Route("GET", "/campaigns/acquisition")
GET_CAMPAIGN = Route("GET", "/campaigns/acquisition/{acquisition_id}")
# Repeatable by Vibes' own answer table: 200 for a sign-up pending already, 409 for a complete one.
ADD_PARTICIPANT = Route("POST", "/campaigns/acquisition/{acquisition_id}/participants")
SEARCH_PARTICIPANTS = Route("GET", "/campaigns/acquisition/{acquisition_id}/participants")

_CALLBACKS = "/config/callbacks"
LIST_CALLBACKS = Route("GET", f"{_CALLBACKS}/")
# A second registration makes a second subscription to the same events: every event would arrive twice.
REGISTER_CALLBACK = Route("POST", f"{_CALLBACKS}/", repeatable=False)
GET_CALLBACK = Route("GET", f"{_CALLBACKS}/{{callback_id}}")
UPDATE_CALLBACK = Route("PUT", f"{_CALLBACKS}/{{callback_id}}")
CANCEL_CALLBACK = Route("DELETE", f"{_CALLBACKS}/{{callback_id}}")
# A second test event would look like a real one to a receiver that was told of the other id only.
TEST_CALLBACK = Route("POST", "/config/callback_events/test", repeatable=False)


def target(route: Route, ids: Mapping[str, str], query: Mapping[str, str]) -> str:
    """Return path and query of one request, percent-encoded completely.

    Everything but letters, digits and `-_.~` is encoded, so an id with a slash stays one segment and the `+`
    of an MDN arrives as a plus. Raises ValueError for ids that no path can carry; its text names the field
    only.
    """
    path = route.template.format_map({name: path_segment(name, value) for name, value in ids.items()})
    pairs = [f"{name}={_quoted(name, value)}" for name, value in query.items()]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def path_segment(name: str, value: str) -> str:
    """Return `value` encoded as one path segment; ValueError when it is blank or a dot segment.

    A blank id would address the collection instead of a member, and `..` its parent: clients, proxies and
    servers fold dot segments even when they are percent-encoded.
    """
    if value in (".", ".."):
        raise ValueError(f"{name} is '.' or '..', which cannot be addressed in a URL")
    return _quoted(name, value)


def _quoted(name: str, value: str) -> str:
    if not value.strip():
        raise ValueError(f"{name} is blank")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise ValueError(f"{name} is not valid Unicode text") from None
