"""Events, written down in the order they happen and with the moment they tell."""

import random
from datetime import datetime
from typing import Final, NamedTuple

from simulator import bodies
from simulator.announcer import Announcer
from simulator.events import Event
from simulator.model import JsonObject, Stay
from simulator.style import Envelope, choose_envelope

_NAMED: Final = 0.9
"""Of the subscription bodies that are not of the oldest edition."""


class Told(NamedTuple):
    """An event, and its event_date."""

    at: datetime
    event: Event


class Chronicler(Announcer):
    """An announcer that keeps what it announced in `told`, until somebody takes it.

    Most of its subscription bodies name the acquisition campaign. Vibes' own samples do in some editions and not in
    others; without it nothing tells how somebody came.
    """

    def __init__(self, company_key: str, rng: random.Random) -> None:
        super().__init__(company_key, rng)
        self.told: list[Told] = []

    def take(self) -> list[Told]:
        """Return what was announced since it was last taken."""
        taken, self.told = self.told, []
        return taken

    def _subscription(self, callback_type: str, stay: Stay, now: datetime) -> Event:
        envelope = choose_envelope(callback_type, self._rng)
        old = envelope is Envelope.YEAR_2017
        payload = (bodies.old_subscription if old else bodies.subscription)(self._company_key, stay, self._rng)
        if stay.acquisition_id and not old and self._rng.random() < _NAMED:
            url = f"/companies/{self._company_key}/campaigns/acquisition/{stay.acquisition_id}"
            payload["acquisition_campaign"] = {"id": stay.acquisition_id, "url": url}
        event = self._event(callback_type, {"subscription": payload}, now, stay.list_id, envelope)
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
        event = super()._event(callback_type, payload, now, parameter, envelope)
        self.told.append(Told(now, event))
        return event
