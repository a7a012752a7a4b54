"""Callback registrations: which events Vibes sends to which URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from vibes_api import routes
from vibes_api.values import JsonObject, JsonValue, as_object, as_objects, first_text, inner, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vibes_api.answers import Answer
    from vibes_api.transport import Transport

_LONGEST_URL = 1024


class CallbackType(StrEnum):
    """The types that can be registered, each with its parameter where it has one."""

    ACK_PARTICIPANT_ADDED = "ack_participant_added"  # campaign_id
    ACK_PARTICIPANT_CHANGED = "ack_participant_changed"  # campaign_id
    COMPANY_PARTICIPANT_ADDED = "company_participant_added"
    COMPANY_PARTICIPANT_CHANGED = "company_participant_changed"
    EVENT_PROCESSED = "event_processed"  # event_type, callbacks_to_send
    PERSON_ADDED = "person_added"
    PERSON_UPDATED = "person_updated"
    DEVICE_ADDED = "device_added"  # app_id
    DEVICE_REMOVED = "device_removed"  # app_id
    DEVICE_UPDATED = "device_updated"  # app_id
    SUBSCRIPTION_ADDED = "subscription_added"  # list_id
    SUBSCRIPTION_REMOVED = "subscription_removed"  # list_id
    SUBSCRIPTION_LIST_ADDED = "subscription_list_added"
    SUBSCRIPTION_LIST_UPDATED = "subscription_list_updated"
    UNMATCHED_MESSAGE_RECEIVED = "unmatched_message_received"  # source_code, country_code
    WALLET_ITEM_INSTALL = "wallet_item_install"  # campaign_token
    WALLET_ITEM_REMOVE = "wallet_item_remove"  # campaign_token


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackSpec:
    """What to register.

    `url` must answer before it is registered, and stays out of the repr: it may be secret.

    `parameters` is the object that goes by the name of the type, such as `{"list_id": "1234"}`; None sends
    none. Dates are text, `2017-01-01T00:00Z`; without them the registration runs from now on and does not
    end. Raises ValueError for a URL over 1,024 characters, Vibes' limit.
    """

    callback_type: str
    url: str = field(repr=False)
    parameters: Mapping[str, str] | None = None
    method: Literal["POST", "PUT"] = "POST"
    content_type: Literal["application/json", "text/json"] = "application/json"
    start_date: str | None = None
    end_date: str | None = None

    def __post_init__(self) -> None:
        if len(self.url) > _LONGEST_URL:
            raise ValueError(f"CallbackSpec.url has {len(self.url)} characters; Vibes takes {_LONGEST_URL}")

    def to_json(self) -> dict[str, JsonValue]:
        """Return the request body. The parameters go under the type's own name."""
        name = str(self.callback_type)  # a plain text also where it is a member of CallbackType
        body: dict[str, JsonValue] = {
            "callback_type": name,
            "destination": {"url": self.url, "method": self.method, "content_type": self.content_type},
        }
        if self.parameters is not None:
            body[name] = dict(self.parameters)
        dates = {"start_date": self.start_date, "end_date": self.end_date}
        return body | {name: date for name, date in dates.items() if date is not None}


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered callback. Ids are text (Vibes sends numbers too), times are the text Vibes sent."""

    callback_id: str | None
    callback_type: str | None
    parameters: JsonObject
    destination_url: str | None = field(repr=False)
    method: str | None
    content_type: str | None
    start_date: str | None
    end_date: str | None
    created_at: str | None
    updated_at: str | None
    url: str | None = field(repr=False)
    raw: JsonObject = field(repr=False)

    @classmethod
    def from_json(cls, data: JsonValue) -> Registration:
        """Read a registration in any of its documented spellings; ShapeError when it is not an object."""
        source = as_object(data)
        callback_type = first_text(source, "callback_type", "event_type")
        destination = inner(source, "destination")
        return cls(
            callback_id=text(source.get("callback_id")),
            callback_type=callback_type,
            parameters=inner(source, callback_type) if callback_type else {},
            destination_url=text(destination.get("url")),
            method=text(destination.get("method")),
            content_type=text(destination.get("content_type")),
            start_date=text(source.get("start_date")),
            end_date=text(source.get("end_date")),
            created_at=first_text(source, "created_at", "created_date"),
            updated_at=first_text(source, "updated_at", "updated_date"),
            url=text(source.get("url")),
            raw=source,
        )


@dataclass(frozen=True, slots=True)
class QueuedTest:
    """A test event on its way. Its callback will carry `event_id` and look like a real one."""

    event_id: str | None
    message: str | None


class Callbacks:
    """`client.callbacks`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def register(self, spec: CallbackSpec) -> Registration | None:
        """Register a callback; None when Vibes answers without a body.

        Not repeated after a lost answer, because a second registration would have every event sent twice: on
        TimedOut, ConnectionFailed or ServerError look into `list` before you register again.
        """
        return await self._transport.call(routes.REGISTER_CALLBACK, _registration_if_any, body=spec.to_json())

    async def list(self) -> Sequence[Registration]:
        """Return the active and future registrations."""
        return await self._transport.call(routes.LIST_CALLBACKS, _registrations)

    async def get(self, callback_id: str) -> Registration:
        """Return one registration. NotFound if unknown."""
        ids = {"callback_id": callback_id}
        return await self._transport.call(routes.GET_CALLBACK, _registration, ids=ids)

    async def update(self, callback_id: str, spec: CallbackSpec) -> Registration | None:
        """Replace a registration; None when Vibes answers without a body. NotFound if unknown.

        It also settles that numbers in its callbacks are in E.164 form, as all calls of this client are
        version 2.
        """
        return await self._transport.call(
            routes.UPDATE_CALLBACK,
            _registration_if_any,
            ids={"callback_id": callback_id},
            body=spec.to_json(),
        )

    async def cancel(self, callback_id: str) -> Registration | None:
        """End a registration now; None when Vibes answers without a body.

        Raises NotFound if unknown; on an `attempt` above 1 that may mean that an earlier attempt has
        succeeded.
        """
        return await self._transport.call(
            routes.CANCEL_CALLBACK, _registration_if_any, ids={"callback_id": callback_id}
        )

    async def send_test(self, callback_type: str, data: JsonObject | None = None) -> QueuedTest:
        """Have Vibes send a test event to the active registrations of a type; it changes nothing at Vibes.

        `data` overrides the sample values, in the form of the type's body (`subscription` needs
        `subscription_list.id`). Use dummy data. Receivers cannot tell a test from a fact except by the
        event_id returned here, so this is not repeated after a lost answer. NotFound without an active
        registration.
        """
        body = {**(data or {}), "callback_type": callback_type}
        return await self._transport.call(routes.TEST_CALLBACK, _queued_test, body=body)


def _registration(answer: Answer) -> Registration:
    return Registration.from_json(answer.data)


def _registration_if_any(answer: Answer) -> Registration | None:
    return None if answer.data is None else Registration.from_json(answer.data)


def _registrations(answer: Answer) -> Sequence[Registration]:
    return [Registration.from_json(item) for item in as_objects(answer.data)]


def _queued_test(answer: Answer) -> QueuedTest:
    source = {} if answer.data is None else as_object(answer.data)
    return QueuedTest(event_id=text(source.get("event_id")), message=text(source.get("message")))
