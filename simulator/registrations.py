"""The Callback API's registrations of one company: which callbacks go where. Pure: the caller gives the time."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from simulator.errors import UnknownRecordError, UnprocessableError
from simulator.events import CALLBACK_TYPES
from simulator.model import JsonObject
from simulator.times import plain

_PARAMETER: Final = {
    "ack_participant": "campaign_id",
    "device": "app_id",
    "subscription_added": "list_id",
    "subscription_removed": "list_id",
    "unmatched_message": "source_code",
    "wallet_item": "campaign_token",
}
_OPTIONAL_PARAMETER: Final = {"event_processed": "event_type"}
_FIRST_OF_FAMILY: Final = {
    "ack_participant_changed": "ack_participant_added",
    "device_removed": "device_added",
    "device_updated": "device_added",
    "subscription_removed": "subscription_added",
    "wallet_item_remove": "wallet_item_install",
}
_MOST_ENDPOINTS: Final = 50
_LONGEST_URL: Final = 1024


@dataclass(frozen=True, slots=True)
class Destination:
    """Where and how a callback is delivered. `api_version` decides the notation of the numbers in it."""

    url: str
    method: str = "POST"
    content_type: str = "application/json"
    api_version: int = 2


@dataclass(frozen=True, slots=True)
class Registration:
    """One registered callback."""

    callback_id: int
    callback_type: str
    parameter: str | None
    parameter_object: JsonObject
    destination: Destination
    start_date: datetime
    end_date: datetime | None
    created_at: datetime
    updated_at: datetime

    def ended(self, now: datetime) -> bool:
        """Whether it was cancelled or has run out."""
        return self.end_date is not None and self.end_date <= now

    def active(self, now: datetime) -> bool:
        """Whether it fires now."""
        return self.start_date <= now and not self.ended(now)

    def matches(self, callback_type: str | None, parameter: str | None) -> bool:
        """Whether an event of this type and list, campaign or the like is its business."""
        return self.callback_type == callback_type and self.parameter in (None, parameter)

    def entity(self, company_key: str) -> JsonObject:
        """Return the JSON of the API. Like Vibes, the id is a number for wallet types and a string for others."""
        numeric = self.callback_type.startswith("wallet_")
        entity: JsonObject = {
            "callback_id": self.callback_id if numeric else str(self.callback_id),
            "callback_type": self.callback_type,
            "event_type": self.callback_type,
            "destination": {
                "url": self.destination.url,
                "method": self.destination.method,
                "content_type": self.destination.content_type,
            },
            "start_date": plain(self.start_date),
            "url": f"/companies/{company_key}/config/callbacks/{self.callback_id}",
            "created_at": plain(self.created_at),
            "updated_at": plain(self.updated_at),
        }
        if self.parameter_object:
            entity[self.callback_type] = self.parameter_object
        if self.end_date is not None:
            entity["end_date"] = plain(self.end_date)
        return entity


class Registrations:
    """The registrations of one company. A cancelled one stays known, but does not fire and is not listed."""

    def __init__(self) -> None:
        self._by_id: dict[int, Registration] = {}
        self._last_id = 11_000

    def register(self, body: JsonObject, api_version: int, now: datetime) -> Registration:
        """Register a callback.

        Raises:
            UnprocessableError: type, parameter, destination or dates are missing or wrong, the same thing is
                registered for the same URL and an overlapping time, or there are 50 endpoints.

        """
        registration = _read(body, api_version, now, self._last_id + 1)
        self._check(registration, now)
        self._last_id += 1
        self._by_id[registration.callback_id] = registration
        return registration

    def update(self, callback_id: str, body: JsonObject, api_version: int, now: datetime) -> Registration:
        """Replace a registration, its API version too: a change without the header switches the number format.

        Raises:
            UnknownRecordError: no such callback.
            UnprocessableError: as `register`.

        """
        before = self.get(callback_id)
        after = replace(_read(body, api_version, now, before.callback_id), created_at=before.created_at)
        self._check(after, now)
        self._by_id[after.callback_id] = after
        return after

    def cancel(self, callback_id: str, now: datetime) -> Registration:
        """End a registration now.

        Raises:
            UnknownRecordError: no such callback.

        """
        registration = replace(self.get(callback_id), end_date=now, updated_at=now)
        self._by_id[registration.callback_id] = registration
        return registration

    def get(self, callback_id: str) -> Registration:
        """Return the registration with this id.

        Raises:
            UnknownRecordError: there is none.

        """
        registration = self._by_id.get(int(callback_id)) if callback_id.isdecimal() else None
        if registration is None:
            raise UnknownRecordError("No callback has this id")
        return registration

    def listed(self, now: datetime) -> list[Registration]:
        """Return the active and the future ones."""
        return [registration for registration in self._by_id.values() if not registration.ended(now)]

    def destinations(self, callback_type: str | None, parameter: str | None, now: datetime) -> list[Destination]:
        """Where an event of this type and parameter goes now, once for each URL."""
        return list(
            {
                registration.destination.url: registration.destination
                for registration in self._by_id.values()
                if registration.matches(callback_type, parameter) and registration.active(now)
            }.values()
        )

    def of_type(self, callback_type: str, now: datetime) -> list[Destination]:
        """Where test events of this type go."""
        return [
            registration.destination
            for registration in self._by_id.values()
            if registration.callback_type == callback_type and registration.active(now)
        ]

    def _check(self, new: Registration, now: datetime) -> None:
        others = [each for each in self.listed(now) if each.callback_id != new.callback_id]
        for other in others:
            same = other.matches(new.callback_type, new.parameter) and other.parameter == new.parameter
            if same and other.destination.url == new.destination.url and _overlap(other, new):
                raise UnprocessableError("This callback is registered for this destination and time already")
        if len({each.destination.url for each in [*others, new]}) > _MOST_ENDPOINTS:
            raise UnprocessableError(f"At most {_MOST_ENDPOINTS} endpoints can be registered")


def parameter_name(callback_type: str) -> str | None:
    """Return what a registration of this type must name: list_id, campaign_id, ...; None if nothing."""
    return next((name for start, name in _PARAMETER.items() if callback_type.startswith(start)), None)


def _read(body: JsonObject, api_version: int, now: datetime, callback_id: int) -> Registration:
    callback_type = body.get("callback_type") or body.get("event_type")
    if callback_type not in CALLBACK_TYPES:
        raise UnprocessableError("callback_type is missing or not one of the 17 types")
    # Vibes' own samples name the first type of a family in the parameter of the second, and it accepts that.
    parameters = body.get(callback_type) or body.get(_FIRST_OF_FAMILY.get(callback_type, "")) or {}
    if not isinstance(parameters, dict):
        raise UnprocessableError(f"{callback_type} must be an object")
    required = parameter_name(callback_type)
    if required and not parameters.get(required):
        raise UnprocessableError(f"{callback_type}.{required} is required")
    parameter = parameters.get(required or _OPTIONAL_PARAMETER.get(callback_type, ""))
    start, end = _date(body, "start_date") or now, _date(body, "end_date")
    if end is not None and end <= start:
        raise UnprocessableError("end_date must be after start_date")
    return Registration(
        callback_id=callback_id,
        callback_type=callback_type,
        parameter=None if parameter is None else str(parameter),
        parameter_object=parameters,
        destination=_destination(body.get("destination"), api_version),
        start_date=start,
        end_date=end,
        created_at=now,
        updated_at=now,
    )


def _destination(given: Any, api_version: int) -> Destination:
    url = given.get("url") if isinstance(given, dict) else None
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or len(url) > _LONGEST_URL:
        raise UnprocessableError(f"destination.url must be an http or https URL of at most {_LONGEST_URL} characters")
    method, content_type = given.get("method", "POST"), given.get("content_type", "application/json")
    if method not in ("POST", "PUT") or content_type not in ("application/json", "text/json"):
        raise UnprocessableError("destination.method is POST or PUT, content_type application/json or text/json")
    return Destination(url, method, content_type, api_version)


def _date(body: JsonObject, name: str) -> datetime | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise UnprocessableError(f"{name} must be a time such as 2017-01-01T00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _overlap(one: Registration, other: Registration) -> bool:
    forever = max(one.start_date, other.start_date) + timedelta(days=1)
    return one.start_date < (other.end_date or forever) and other.start_date < (one.end_date or forever)
