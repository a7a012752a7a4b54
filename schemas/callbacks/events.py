"""From a callback's body to the event it carries: what is logged, what deduplicates it, and the facts it tells."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from schemas.callbacks.bodies import (
    BODIES,
    CallbackBody,
    DeviceBody,
    EventProcessedBody,
    ParticipantBody,
    Person,
    PersonBody,
    PersonReference,
    SubscriptionBody,
    SubscriptionListBody,
)
from schemas.callbacks.json_body import JsonBody, read_json_body, short_hash
from schemas.callbacks.types import CallbackType, known_type, told_type
from schemas.errors import MessageError
from schemas.facts import BEGINNING, Fact, OptIn, OptOut, PersonIdentity, Profile, Sighting, Stay
from schemas.values import normalise_mdn

AnyPerson = TypeVar("AnyPerson", bound=PersonReference)


class Event(NamedTuple):
    """What one callback carries."""

    company_key: str
    callback_type: CallbackType
    event_id: str
    """Vibes' id, or `sha256:` and the body's hash where there is none."""
    event_date: datetime | None
    body: JsonBody
    person_id: str | None = None
    person_key: str | None = None
    external_person_id: str | None = None
    list_id: str | None = None
    reason: str | None = None
    facts: tuple[Fact, ...] = ()

    @property
    def key(self) -> UUID:
        """The dedupe key; the database's function callback_key() gives the same."""
        return callback_key(self.company_key, self.callback_type, self.event_id)


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
    model = BODIES[callback_type].model_validate(json_body.object)
    event_id = model.event_id or f"sha256:{json_body.hash.hex}"
    lift: Callable[[Any, _Context], _Lifted] = _LIFT.get(type(model), _lift_nothing)
    lifted = lift(model, _Context(callback_type, event_id, default_country))
    return Event(
        company_key=company_key,
        callback_type=callback_type,
        event_id=event_id,
        event_date=model.event_date,
        body=json_body,
        person_id=lifted.person.vibes_id if lifted.person else None,
        person_key=lifted.person.person_key if lifted.person else None,
        external_person_id=lifted.person.customer_id if lifted.person else None,
        list_id=lifted.list_id,
        reason=lifted.reason,
        facts=lifted.facts,
    )


def profile_of(
    person: Person, identity: PersonIdentity, event_date: datetime | None, default_country: str | None
) -> Profile:
    """Return a person's complete state as a fact, from a callback or from an answer of the Person API."""
    at = person.updated_at or event_date or BEGINNING
    return Profile(
        person=identity,
        at=at,
        event_date=event_date or at,
        external_person_id=person.customer_id,
        mdn=person.mdn,
        mdn_e164=normalise_mdn(person.mdn, default_country) if person.mdn else None,
        carrier_code=person.mobile_phone.carrier_code if person.mobile_phone else None,
        timezone=person.timezone,
        timezone_source=person.timezone_source,
        custom_fields=person.custom_fields or {},
        created_at=person.created_at,
        updated_at=person.updated_at,
    )


class _Context(NamedTuple):
    callback_type: CallbackType
    event_id: str
    default_country: str | None


class _Lifted(NamedTuple):
    person: PersonReference | None = None
    list_id: str | None = None
    reason: str | None = None
    facts: tuple[Fact, ...] = ()


def _lift_subscription(body: SubscriptionBody, context: _Context) -> _Lifted:
    subscription = body.subscription
    if subscription is None:
        raise MessageError("missing_subscription")
    person, identity = _identify(subscription.person)
    list_id = subscription.subscription_list.id if subscription.subscription_list else None
    if list_id is None:
        raise MessageError("missing_list")
    opt_in = opt_out = None
    if context.callback_type is CallbackType.SUBSCRIPTION_ADDED:
        # Without an opt_in_date the event's own date stands for it: the same for each delivery of the event.
        opt_in_date = subscription.opt_in_date or body.event_date
        if opt_in_date is None:
            raise MessageError("missing_date", "neither opt_in_date nor event_date")
        opt_in = OptIn(event_date=body.event_date or opt_in_date, event_id=context.event_id)
        seen_at = opt_in.event_date
    else:
        opt_in_date = subscription.opt_in_date or BEGINNING
        opt_out_date = subscription.opt_out_date or body.event_date or subscription.opt_in_date
        if opt_out_date is None:
            raise MessageError("missing_date", "neither opt_out_date nor event_date nor opt_in_date")
        opt_out = OptOut(
            date=opt_out_date,
            event_date=body.event_date or opt_out_date,
            event_id=context.event_id,
            reason=subscription.opt_out_reason,
        )
        seen_at = opt_out.event_date
    campaign = subscription.acquisition_campaign
    stay = Stay(
        person=identity,
        list_id=list_id,
        opt_in_date=opt_in_date,
        opt_in=opt_in,
        opt_out=opt_out,
        acquisition_campaign_id=campaign.id if campaign else None,
    )
    sighting = Sighting(
        person=identity,
        at=seen_at,
        external_person_id=person.customer_id,
        mdn=person.mdn,
        mdn_e164=normalise_mdn(person.mdn, context.default_country) if person.mdn else None,
    )
    return _Lifted(person=person, list_id=list_id, reason=subscription.opt_out_reason, facts=(sighting, stay))


def _lift_person(body: PersonBody, context: _Context) -> _Lifted:
    person, identity = _identify(body.person)
    return _Lifted(person=person, facts=(profile_of(person, identity, body.event_date, context.default_country),))


def _lift_participant(body: ParticipantBody, _context: _Context) -> _Lifted:
    participant = body.participant
    if participant is None:
        return _Lifted(list_id=body.subscription_list.id if body.subscription_list else None)
    listed = participant.subscription_list or body.subscription_list
    return _Lifted(person=participant.person, list_id=listed.id if listed else None, reason=participant.status)


def _lift_device(body: DeviceBody, _context: _Context) -> _Lifted:
    return _Lifted(person=body.person)


def _lift_list(body: SubscriptionListBody, _context: _Context) -> _Lifted:
    return _Lifted(list_id=body.subscription_list.id if body.subscription_list else None)


def _lift_processed(body: EventProcessedBody, _context: _Context) -> _Lifted:
    processed = body.event_processed
    if processed is None:
        return _Lifted()
    # event_data is the customer's own: only these names are Vibes', and an `id` in it may be anything.
    named = {name: (processed.event_data or {}).get(name) for name in ("person_id", "person_key", "external_person_id")}
    return _Lifted(
        person=PersonReference.model_validate(named),
        reason=processed.action.status_reason if processed.action else None,
    )


def _lift_nothing(_body: CallbackBody, _context: _Context) -> _Lifted:
    return _Lifted()


def _identify(person: AnyPerson | None) -> tuple[AnyPerson, PersonIdentity]:
    """Return the person and its identity; a customer's id or a number alone does not tell who somebody is at Vibes."""
    if person is None or not (person.vibes_id or person.person_key):
        raise MessageError("missing_person", "neither a person id nor a person_key")
    return person, PersonIdentity(person_id=person.vibes_id, person_key=person.person_key)


_LIFT: dict[type[CallbackBody], Callable[[Any, _Context], _Lifted]] = {
    SubscriptionBody: _lift_subscription,
    PersonBody: _lift_person,
    ParticipantBody: _lift_participant,
    DeviceBody: _lift_device,
    SubscriptionListBody: _lift_list,
    EventProcessedBody: _lift_processed,
}
