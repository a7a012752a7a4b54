"""From a callback's body to the event it carries: what is logged, what deduplicates it, and the facts it tells."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from schemas.callbacks.bodies import (
    Person,
    PersonReference,
    read_id,
    read_participant,
    read_person,
    read_person_reference,
    read_subscription,
)
from schemas.callbacks.json_body import JsonBody, read_json_body, short_hash
from schemas.callbacks.types import CallbackType, known_type, told_type
from schemas.errors import MessageError
from schemas.facts import BEGINNING, Fact, OptIn, OptOut, PersonIdentity, Profile, Sighting, Stay
from schemas.values import normalise_mdn, read_text, read_timestamp


class Event(NamedTuple):
    """What one callback carries."""

    company_key: str
    callback_type: CallbackType
    event_id: str
    """Vibes' id, or `sha256:` and the body's hash where there is none."""
    event_date: datetime | None
    key: UUID
    """The dedupe key; the database's function callback_key() gives the same."""
    body: JsonBody
    person_id: str | None = None
    person_key: str | None = None
    external_person_id: str | None = None
    list_id: str | None = None
    reason: str | None = None
    facts: tuple[Fact, ...] = ()


def callback_key(company_key: str, callback_type: str, event_id: str) -> UUID:
    """Return the dedupe key of an event: Vibes' ids are unique per company and type at best."""
    return short_hash(f"{company_key}\x00{callback_type}\x00{event_id}".encode())


def read_event(
    company_key: str, body: bytes, *, default_country: str | None = None, content_encoding: str | None = None
) -> Event:
    """Read a callback of a company. `default_country` completes numbers that come without a country code.

    Raises MessageError when the event cannot be read: see `read_json_body`, and the reasons `no_type`, `unknown_type`,
    `missing_subscription`, `missing_person`, `missing_list`, `missing_date`.
    """
    json_body = read_json_body(body, content_encoding)
    told = told_type(json_body.object)
    if told is None:
        raise MessageError("no_type")
    callback_type = known_type(told)
    if callback_type is None:
        raise MessageError("unknown_type")
    told_by = json_body.object
    event_id = read_text(told_by.get("event_id")) or f"sha256:{json_body.hash.hex}"
    event_date = read_timestamp(told_by.get("event_date"))
    context = (callback_type, event_id, event_date, default_country)
    person, list_id, reason, facts = _LIFT[callback_type](told_by, context)
    return Event(
        company_key,
        callback_type,
        event_id,
        event_date,
        callback_key(company_key, callback_type, event_id),
        json_body,
        person.vibes_id if person else None,
        person.person_key if person else None,
        person.customer_id if person else None,
        list_id,
        reason,
        facts,
    )


def profile_of(
    person: Person, identity: PersonIdentity, event_date: datetime | None, default_country: str | None
) -> Profile:
    """Return a person's complete state as a fact, from a callback or from an answer of the Person API."""
    at = person.updated_at or event_date or BEGINNING
    customer_id, mdn = person.reference.customer_id, person.reference.mdn
    return Profile(
        person=identity,
        at=at,
        event_date=event_date or at,
        external_person_id=customer_id,
        mdn=mdn,
        mdn_e164=normalise_mdn(mdn, default_country) if mdn else None,
        carrier_code=person.carrier_code,
        timezone=person.timezone,
        timezone_source=person.timezone_source,
        custom_fields=person.custom_fields or {},
        created_at=person.created_at,
        updated_at=person.updated_at,
    )


_Context = tuple[CallbackType, str, datetime | None, str | None]
"""Type, id and date of the event, and the country that completes its numbers."""
_Lifted = tuple[PersonReference | None, str | None, str | None, tuple[Fact, ...]]
"""What a family of callbacks tells, found in its own places: person, list, reason, facts."""
_NOTHING: _Lifted = (None, None, None, ())


def _lift_subscription(body: Mapping[str, Any], context: _Context) -> _Lifted:
    subscription = read_subscription(body.get("subscription"))
    if subscription is None:
        raise MessageError("missing_subscription")
    person, list_id, campaign_id, opt_in_date, opt_out_date, reason = subscription
    person, identity = _identify(person)
    if list_id is None:
        raise MessageError("missing_list")
    callback_type, event_id, event_date, country = context
    opt_in = opt_out = None
    if callback_type is CallbackType.SUBSCRIPTION_ADDED:
        # Without an opt_in_date the event's own date stands for it: the same for each delivery of the event.
        opt_in_date = opt_in_date or event_date
        if opt_in_date is None:
            raise MessageError("missing_date", "neither opt_in_date nor event_date")
        seen_at = event_date or opt_in_date
        opt_in = OptIn(seen_at, event_id)
    else:
        opt_out_date = opt_out_date or event_date or opt_in_date
        if opt_out_date is None:
            raise MessageError("missing_date", "neither opt_out_date nor event_date nor opt_in_date")
        opt_in_date = opt_in_date or BEGINNING
        seen_at = event_date or opt_out_date
        opt_out = OptOut(opt_out_date, seen_at, event_id, reason)
    mdn = person.mdn
    sighting = Sighting(identity, seen_at, person.customer_id, mdn, normalise_mdn(mdn, country) if mdn else None)
    stay = Stay(identity, list_id, opt_in_date, opt_in, opt_out, campaign_id)
    return (person, list_id, reason, (sighting, stay))


def _lift_person(body: Mapping[str, Any], context: _Context) -> _Lifted:
    person = read_person(body.get("person"))
    reference, identity = _identify(person.reference if person else None)
    assert person is not None  # noqa: S101 - _identify has refused a body without one
    _, _, event_date, country = context
    return (reference, None, None, (profile_of(person, identity, event_date, country),))


def _lift_participant(body: Mapping[str, Any], _context: _Context) -> _Lifted:
    beside = read_id(body.get("subscription_list"))  # the list stands beside the participant or inside it
    participant = read_participant(body.get("participant"))
    if participant is None:
        return (None, beside, None, ())
    return (participant.person, participant.list_id or beside, participant.status, ())


def _lift_device(body: Mapping[str, Any], _context: _Context) -> _Lifted:
    return (read_person_reference(body.get("person")), None, None, ())


def _lift_list(body: Mapping[str, Any], _context: _Context) -> _Lifted:
    return (None, read_id(body.get("subscription_list")), None, ())


def _lift_processed(body: Mapping[str, Any], _context: _Context) -> _Lifted:
    processed = body.get("event_processed")
    if not isinstance(processed, dict):
        return _NOTHING
    data, action = processed.get("event_data"), processed.get("action")
    # event_data is the customer's own: only these names are Vibes', and an `id` in it may be anything.
    told = data if isinstance(data, dict) else {}
    named = {name: told.get(name) for name in ("person_id", "person_key", "external_person_id")}
    reason = read_text(action.get("status_reason")) if isinstance(action, dict) else None
    return (read_person_reference(named), None, reason, ())


def _lift_nothing(_body: Mapping[str, Any], _context: _Context) -> _Lifted:
    return _NOTHING


def _identify(person: PersonReference | None) -> tuple[PersonReference, PersonIdentity]:
    """Return the person and its identity; a customer's id or a number alone does not tell who somebody is at Vibes."""
    if person is None or not (person.vibes_id or person.person_key):
        raise MessageError("missing_person", "neither a person id nor a person_key")
    return person, PersonIdentity(person.vibes_id, person.person_key)


_LIFT: dict[CallbackType, Callable[[Mapping[str, Any], _Context], _Lifted]] = {
    CallbackType.SUBSCRIPTION_ADDED: _lift_subscription,
    CallbackType.SUBSCRIPTION_REMOVED: _lift_subscription,
    CallbackType.PERSON_ADDED: _lift_person,
    CallbackType.PERSON_UPDATED: _lift_person,
    CallbackType.ACK_PARTICIPANT_ADDED: _lift_participant,
    CallbackType.ACK_PARTICIPANT_CHANGED: _lift_participant,
    CallbackType.COMPANY_PARTICIPANT_ADDED: _lift_participant,
    CallbackType.COMPANY_PARTICIPANT_CHANGED: _lift_participant,
    CallbackType.DEVICE_ADDED: _lift_device,
    CallbackType.DEVICE_UPDATED: _lift_device,
    CallbackType.DEVICE_REMOVED: _lift_device,
    CallbackType.SUBSCRIPTION_LIST_ADDED: _lift_list,
    CallbackType.SUBSCRIPTION_LIST_UPDATED: _lift_list,
    CallbackType.EVENT_PROCESSED: _lift_processed,
    CallbackType.UNMATCHED_MESSAGE_RECEIVED: _lift_nothing,
    CallbackType.WALLET_ITEM_INSTALL: _lift_nothing,
    CallbackType.WALLET_ITEM_REMOVE: _lift_nothing,
}
"""Where each type has them."""
