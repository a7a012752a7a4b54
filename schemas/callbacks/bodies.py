"""What is read from the parts of callback bodies. Whatever else they hold is in the payload that is kept.

Everything is optional, and a value of an unexpected JSON type reads as None: one odd value must not hide the rest of
the event. By hand, because this runs for every callback: with models of pydantic that were as tolerant, reading a body
took half as long again.
"""

from datetime import datetime
from typing import Any, NamedTuple

from schemas.values import read_object, read_text, read_timestamp


class PersonReference(NamedTuple):
    """A person as any family of callbacks names one; each family uses some of these fields."""

    vibes_id: str | None
    """Vibes' deprecated id, under either of its names."""
    person_key: str | None
    customer_id: str | None
    """The customer's id, under either of its names."""
    mdn: str | None
    """The phone number as Vibes wrote it."""


class Person(NamedTuple):
    """The complete state of a person (person_added, person_updated, and the Person API's answers)."""

    reference: PersonReference
    carrier_code: str | None
    timezone: str | None
    timezone_source: str | None
    custom_fields: dict[str, Any] | None
    created_at: datetime | None
    updated_at: datetime | None


class Subscription(NamedTuple):
    """One stay of one person on one list. It has no id of its own."""

    person: PersonReference | None
    list_id: str | None
    acquisition_campaign_id: str | None
    opt_in_date: datetime | None
    opt_out_date: datetime | None
    opt_out_reason: str | None


class Participant(NamedTuple):
    """One participation in an acquisition campaign. PENDING is no consent yet."""

    person: PersonReference | None
    list_id: str | None
    status: str | None


def read_person_reference(value: object) -> PersonReference | None:
    """Read whom something is about. None: it is no JSON object."""
    if not isinstance(value, dict):
        return None
    get = value.get
    phone = get("mobile_phone")
    return PersonReference(
        read_text(get("person_id")) or read_text(get("id")),
        read_text(get("person_key")),
        read_text(get("external_person_id")) or read_text(get("external_id")),
        read_text(phone.get("mdn")) if isinstance(phone, dict) else None,
    )


def read_person(value: object) -> Person | None:
    """Read a whole person. None: it is no JSON object."""
    reference = read_person_reference(value)
    if reference is None or not isinstance(value, dict):
        return None
    phone = value.get("mobile_phone")
    return Person(
        reference=reference,
        carrier_code=read_text(phone.get("carrier_code")) if isinstance(phone, dict) else None,
        timezone=read_text(value.get("timezone")),
        timezone_source=read_text(value.get("timezone_source")),
        custom_fields=read_object(value.get("custom_fields")),
        created_at=read_timestamp(value.get("created_at")),
        updated_at=read_timestamp(value.get("updated_at")),
    )


def read_subscription(value: object) -> Subscription | None:
    """Read a subscription, of a callback or of the API. None: it is no JSON object."""
    if not isinstance(value, dict):
        return None
    get = value.get
    return Subscription(
        read_person_reference(get("person")),
        read_id(get("subscription_list")),
        # An opt-in flow: its id and the one in its url may differ.
        read_id(get("acquisition_campaign")),
        read_timestamp(get("opt_in_date")),
        read_timestamp(get("opt_out_date")),
        read_text(get("opt_out_reason")),
    )


def read_participant(value: object) -> Participant | None:
    """Read a participation. None: it is no JSON object."""
    if not isinstance(value, dict):
        return None
    return Participant(
        person=read_person_reference(value.get("person")),
        list_id=read_id(value.get("subscription_list")),
        status=read_text(value.get("status")),
    )


def read_id(value: object) -> str | None:
    """Read the id of a list or a campaign."""
    return read_text(value.get("id")) if isinstance(value, dict) else None
