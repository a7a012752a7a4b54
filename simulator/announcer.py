"""Turns what happened in a MobileDB into the events that Vibes would send about it."""

import random
from datetime import datetime

import orjson

from simulator import bodies
from simulator.events import Event, Kind
from simulator.model import JsonObject, Participation, ParticipationStatus, Person, Stay, SubscriptionList
from simulator.persons import Write
from simulator.seeds import new_uuid
from simulator.style import Envelope, choose_envelope, type_fields, vary
from simulator.times import spell


class Announcer:
    """Makes events about one company, and marks on persons and stays which event told about them.

    All choices (ids, notations, styles) come from `rng`.
    """

    def __init__(self, company_key: str, rng: random.Random) -> None:
        self._company_key = company_key
        self._rng = rng

    def person(self, callback_type: str, who: Person, now: datetime) -> Event:
        """person_added or person_updated: the complete present state."""
        payload = {"person": bodies.person(self._company_key, who, self._rng)}
        event = self._event(callback_type, payload, max(now, who.updated_at))
        who.announced_by = who.referenced_by = event.event_id
        who.announced_state = who.updated_at
        return event

    def write(self, write: Write, now: datetime) -> Event:
        """Return the echo of a person write: person_added for a new record, person_updated for a merge or change."""
        return self.person("person_added" if write.created else "person_updated", write.person, now)

    def opt_in(self, stay: Stay, now: datetime) -> Event:
        """subscription_added."""
        event = self._subscription("subscription_added", stay, now)
        stay.added_by = event.event_id
        return event

    def opt_out(self, stay: Stay, now: datetime) -> Event:
        """subscription_removed."""
        event = self._subscription("subscription_removed", stay, now)
        stay.removed_by = event.event_id
        return event

    def participation(self, participation: Participation, now: datetime) -> list[Event]:
        """ack_participant_* and company_participant_*: two events, each with its own id, about one fact."""
        begun = participation.status in (ParticipationStatus.PENDING, ParticipationStatus.SUBSCRIBED)
        suffix = "added" if begun else "changed"
        events = []
        for family, parameter in (
            ("ack", participation.campaign.acquisition_id),
            ("company", None),
        ):
            payload = {"participant": bodies.participant(self._company_key, participation, self._rng)}
            event = self._event(f"{family}_participant_{suffix}", payload, now, parameter)
            participation.person.referenced_by = event.event_id
            events.append(event)
        return events

    def subscription_list(self, callback_type: str, which: SubscriptionList, now: datetime) -> Event:
        """subscription_list_added or subscription_list_updated."""
        payload = {"subscription_list": bodies.subscription_list(self._company_key, which)}
        return self._event(callback_type, payload, now)

    def device(self, callback_type: str, who: Person, device: JsonObject, now: datetime) -> Event:
        """device_added, device_updated or device_removed, for the person the device is or was attached to."""
        payload = {"person": bodies.device_person(self._company_key, who), "push_device": dict(device)}
        event = self._event(callback_type, payload, now, bodies.APP_ID)
        who.referenced_by = event.event_id
        return event

    def unmatched(self, mdn: str, carrier: str, text: str, now: datetime) -> Event:
        """unmatched_message_received."""
        payload = bodies.unmatched_message(self._company_key, mdn, carrier, text, self._rng)
        payload["receipt_date"] = spell(now, self._rng)
        return self._event("unmatched_message_received", payload, now, bodies.SOURCE_CODE)

    def wallet(self, callback_type: str, item: str, installed: datetime, now: datetime) -> Event:
        """wallet_item_install or wallet_item_remove."""
        removed = now if callback_type == "wallet_item_remove" else None
        payload = bodies.wallet(self._company_key, item, installed, removed, self._rng)
        return self._event(callback_type, payload, now, bodies.WALLET_TOKEN)

    def processed(self, inner_id: str, event_type: str, data: JsonObject, action: JsonObject, now: datetime) -> Event:
        """event_processed."""
        payload = {"event_processed": bodies.event_processed(self._company_key, inner_id, event_type, data, action)}
        return self._event("event_processed", payload, now, event_type)

    def _subscription(self, callback_type: str, stay: Stay, now: datetime) -> Event:
        envelope = choose_envelope(callback_type, self._rng)
        old = envelope is Envelope.YEAR_2017
        shape = bodies.old_subscription if old else bodies.subscription
        payload = {"subscription": shape(self._company_key, stay, self._rng)}
        event = self._event(callback_type, payload, now, stay.list_id, envelope)
        stay.person.referenced_by = event.event_id
        if not old:
            stay.person.key_told_by = event.event_id
        return event

    def _event(
        self,
        callback_type: str,
        payload: JsonObject,
        now: datetime,
        parameter: str | None = None,
        envelope: Envelope | None = None,
    ) -> Event:
        rng = self._rng
        envelope = envelope or choose_envelope(callback_type, rng)
        event_id = new_uuid(rng)
        types = type_fields(callback_type, envelope, rng)
        body = {"event_id": event_id, **types, "event_date": spell(now, rng), **payload}
        read_as = types.get("callback_type") or types["event_type"]
        return Event(
            kind=Kind.EVENT,
            callback_type=read_as,
            event_id=event_id,
            body=orjson.dumps(vary(body, rng)),
            parameter=parameter,
            fact=callback_type,
        )
