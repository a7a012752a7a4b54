"""Subscriptions: the stays of a person on subscription lists. Joining is not here, see participants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vibes_api import routes
from vibes_api.errors import NotFound
from vibes_api.values import JsonObject, JsonValue, as_object, as_objects, first_text, inner, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vibes_api.answers import Answer
    from vibes_api.routes import Route
    from vibes_api.transport import Transport


@dataclass(frozen=True, slots=True)
class Subscription:
    """One stay of one person on one list. Leaving and joining again makes two of them; they carry no id.

    Times are the text Vibes sent. `opt_out_reason` is an open set: Vibes may add reasons at any time.
    """

    list_id: str | None
    person_id: str | None
    person_key: str | None
    opt_in_date: str | None
    opt_out_date: str | None
    opt_out_reason: str | None
    url: str | None = field(repr=False)
    raw: JsonObject = field(repr=False)

    @classmethod
    def from_json(cls, data: JsonValue) -> Subscription:
        """Read a subscription entity; ShapeError when it is not an object."""
        source = as_object(data)
        person = inner(source, "person")
        return cls(
            list_id=text(inner(source, "subscription_list").get("id")),
            person_id=first_text(person, "id", "person_id"),
            person_key=text(person.get("person_key")),
            opt_in_date=text(source.get("opt_in_date")),
            opt_out_date=text(source.get("opt_out_date")),
            opt_out_reason=text(source.get("opt_out_reason")),
            url=text(source.get("url")),
            raw=source,
        )


class Subscriptions:
    """`client.subscriptions`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, person_key: str, *, active_only: bool = True) -> Sequence[Subscription]:
        """Return a person's stays, ended ones too if not `active_only`. NotFound for an unknown person."""
        ids = {"person_key": person_key}
        return await self._list(routes.LIST_SUBSCRIPTIONS, ids, active_only=active_only)

    async def list_by_external_id(
        self,
        external_person_id: str,
        *,
        active_only: bool = True,
    ) -> Sequence[Subscription]:
        """Like `list`, by the id you gave the person."""
        ids = {"external_person_id": external_person_id}
        return await self._list(routes.LIST_SUBSCRIPTIONS_BY_EXTERNAL_ID, ids, active_only=active_only)

    async def get(self, person_key: str, list_id: str) -> Sequence[Subscription]:
        """Return a person's stays on one list.

        Empty when there are none or the person is unknown: Vibes answers both with 404.
        """
        return await self._get(routes.GET_SUBSCRIPTION, {"person_key": person_key, "list_id": list_id})

    async def get_by_external_id(self, external_person_id: str, list_id: str) -> Sequence[Subscription]:
        """Like `get`, by the id you gave the person."""
        ids = {"external_person_id": external_person_id, "list_id": list_id}
        return await self._get(routes.GET_SUBSCRIPTION_BY_EXTERNAL_ID, ids)

    async def unsubscribe(self, person_key: str, list_id: str) -> None:
        """Take a person off a list. Returns when the person is certainly not on it (any more).

        A 404 (not on the list, or no such person) counts as done. The removal comes back as a
        subscription_removed callback with the reason api_opt_out.
        """
        await self._unsubscribe(routes.UNSUBSCRIBE, {"person_key": person_key, "list_id": list_id})

    async def unsubscribe_by_external_id(self, external_person_id: str, list_id: str) -> None:
        """Like `unsubscribe`, by the id you gave the person."""
        ids = {"external_person_id": external_person_id, "list_id": list_id}
        await self._unsubscribe(routes.UNSUBSCRIBE_BY_EXTERNAL_ID, ids)

    async def _list(
        self,
        route: Route,
        ids: Mapping[str, str],
        *,
        active_only: bool,
    ) -> Sequence[Subscription]:
        query = {} if active_only else {"active_only": "false"}
        return await self._transport.call(route, _stays, ids=ids, query=query)

    async def _get(self, route: Route, ids: Mapping[str, str]) -> Sequence[Subscription]:
        try:
            return await self._transport.call(route, _stays, ids=ids)
        except NotFound:
            return []

    async def _unsubscribe(self, route: Route, ids: Mapping[str, str]) -> None:
        try:
            await self._transport.call(route, _nothing, ids=ids)
        except NotFound:
            return


def _stays(answer: Answer) -> Sequence[Subscription]:
    return [Subscription.from_json(item) for item in as_objects(answer.data)]


def _nothing(_answer: Answer) -> None:
    """Parse an answer whose body says nothing."""
