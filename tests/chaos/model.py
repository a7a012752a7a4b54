"""What the callbacks of one company add up to, worked out one after the other, in the simplest way that is right.

It is written from what Vibes' callbacks mean (docs/vibes.md), shares no code with the pipeline, and reads the bodies
the simulator sends: each names a person by person_id, and its dates are ISO 8601 in some notation.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

Json = dict[str, Any]
Key = tuple[str, str]
"""Type and id of an event."""
StayKey = tuple[str, str, datetime]
"""person_id, list_id, opt-in date."""

_TYPES = frozenset(
    f"{thing}_{what}"
    for thing, whats in {
        "ack_participant": ("added", "changed"),
        "company_participant": ("added", "changed"),
        "person": ("added", "updated"),
        "device": ("added", "removed", "updated"),
        "subscription": ("added", "removed"),
        "subscription_list": ("added", "updated"),
        "event": ("processed",),
        "unmatched_message": ("received",),
        "wallet_item": ("install", "remove"),
    }.items()
    for what in whats
)


@dataclass(frozen=True, slots=True)
class Told:
    """An event as its body tells it."""

    key: Key
    date: datetime
    body: Json
    said: bytes
    """The body, but for what changes when it is delivered again; in an order of its own."""


@dataclass(slots=True)
class Profile:
    """The state of a person as one event, or one answer of the Person API, told it."""

    at: datetime
    """When the person was changed at Vibes."""
    told: datetime
    """When that was told."""
    values: Json

    @property
    def version(self) -> tuple[datetime, datetime]:
        """The latest counts."""
        return (self.at, self.told)


@dataclass(slots=True)
class PersonState:
    """A person."""

    person_key: str | None = None
    latest: list[Profile] = field(default_factory=list)
    """The latest profile; several when they were told with the same two times."""
    external_person_id: tuple[datetime, str] | None = None
    """As the latest subscription event repeated it, and when."""
    mdn: tuple[datetime, str] | None = None


@dataclass(slots=True)
class StayState:
    """A stay: the events that prove its beginning and its end."""

    opt_in_event_id: str | None = None
    opt_out_event_id: str | None = None
    opt_out_date: datetime | None = None
    opt_out_reason: str | None = None


@dataclass(slots=True)
class Model:
    """Persons, by person_id, and stays."""

    persons: dict[str, PersonState] = field(default_factory=dict)
    stays: dict[StayKey, StayState] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Told]) -> "Model":
        """Return what the events add up to, told in the order in which they happened."""
        model = cls()
        for event in sorted(events, key=_when):
            model._tell(event)
        return model

    def _tell(self, event: Told) -> None:
        kind = event.key[0]
        if kind in ("person_added", "person_updated"):
            person = event.body["person"]
            profile = read_profile(person, event.date)
            _keep_latest(self.persons.setdefault(str(person["person_id"]), PersonState()).latest, profile)
        elif kind in ("subscription_added", "subscription_removed"):
            self._tell_subscription(event)

    def _tell_subscription(self, event: Told) -> None:
        subscription = event.body["subscription"]
        who = subscription["person"]
        person = self.persons.setdefault(str(who["id"]), PersonState())
        person.person_key = who.get("person_key") or person.person_key
        external = who.get("external_person_id") or who.get("external_id")
        if external:
            person.external_person_id = max(filter(None, (person.external_person_id, (event.date, external))))
        if mdn := (who.get("mobile_phone") or {}).get("mdn"):
            person.mdn = max(filter(None, (person.mdn, (event.date, mdn))))
        key = (str(who["id"]), str(subscription["subscription_list"]["id"]), moment(subscription["opt_in_date"]))
        stay = self.stays.setdefault(key, StayState())
        if event.key[0] == "subscription_added":
            stay.opt_in_event_id = stay.opt_in_event_id or event.key[1]
        elif stay.opt_out_event_id is None:
            stay.opt_out_event_id = event.key[1]
            stay.opt_out_date = moment(subscription["opt_out_date"])
            stay.opt_out_reason = subscription.get("opt_out_reason")


def read_event(body: bytes) -> Told | None:
    """Return the event a body tells, or None for one of which it is not sure what the pipeline has to make of it."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("event_id"), str):
        return None
    kind = value.get("callback_type") or value.get("event_type")
    if not isinstance(kind, str) or kind not in _TYPES or not _has_payload(kind, value):
        return None
    try:
        return Told((kind, value["event_id"]), moment(value["event_date"]), value, said(value))
    except (KeyError, ValueError):
        return None


def _has_payload(kind: str, value: Json) -> bool:
    name, _, what = kind.rpartition("_")
    if name == "person":
        return isinstance(value.get(name), dict)
    if name == "subscription" and what in ("added", "removed"):
        payload = value.get(name)
        return isinstance(payload, dict) and isinstance(payload.get("opt_in_date"), str)
    return True


def said(value: Json) -> bytes:
    """Return what a body says, equal for two deliveries of one event."""
    rest = {name: part for name, part in value.items() if name != "delivery_attempt"}
    return orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)


def read_profile(person: Json, told: datetime | None = None) -> Profile:
    """Read the complete state of a person, as of a person callback or of an answer of the Person API."""
    at = moment(person["updated_at"])
    phone = person.get("mobile_phone") or {}
    return Profile(
        at,
        told or at,
        {
            "external_person_id": person.get("external_person_id"),
            "mdn": phone.get("mdn"),
            "carrier_code": phone.get("carrier_code"),
            "timezone": person.get("timezone"),
            "custom_fields": person.get("custom_fields") or {},
            "created_at": moment(person["created_at"]),
            "updated_at": at,
        },
    )


def moment(text: str) -> datetime:
    """Return the moment a text tells. ValueError if it tells none."""
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)


def _when(event: Told) -> tuple[datetime, datetime, str]:
    """Return when something happened, and when and by what event it was told."""
    subscription = event.body.get("subscription") or {}
    happened = subscription.get("opt_out_date") or subscription.get("opt_in_date")
    return (moment(happened) if happened else event.date, event.date, event.key[1])


def _keep_latest(latest: list[Profile], told: Profile) -> None:
    if latest and told.version < latest[0].version:
        return
    if latest and told.version > latest[0].version:
        latest.clear()
    latest.append(told)
