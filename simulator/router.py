"""Which destinations an event has, and the callbacks to them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson

from simulator import mdn
from simulator.delivery import Callback
from simulator.events import Event, Kind
from simulator.ledger import Ledger
from simulator.registrations import Destination, Registrations

_BY_PUT: Final = ("device_", "wallet_", "person_updated")
_AS_TEXT: Final = ("company_", "unmatched_", "subscription_removed")


class Router:
    """Sends the events of one company to what is registered for them, else to the company's own URL.

    To the latter some types come by PUT and some as text/json, as if each type had its own registration.
    """

    def __init__(self, callback_url: str | None, registrations: Registrations, ledger: Ledger) -> None:
        self._callback_url = callback_url
        self._registrations = registrations
        self._ledger = ledger

    def callbacks(self, event: Event, now: datetime) -> list[Callback]:
        """One callback a destination, each with its entry in the ledger; none if nobody wants the event."""
        destinations: Sequence[Destination] = self._registrations.destinations(event.fact, event.parameter, now)
        if not destinations and self._callback_url:
            destinations = [_default(self._callback_url, event.fact or "")]
        return self.callbacks_to(destinations, event)

    def callbacks_to(self, destinations: Sequence[Destination], event: Event) -> list[Callback]:
        """One callback to each of the destinations."""
        callbacks = []
        for destination in destinations:
            fitting = event if destination.api_version == 2 else _with_national_numbers(event)
            callbacks.append(Callback(fitting, self._ledger.open(fitting), destination))
        return callbacks


def _default(url: str, fact: str) -> Destination:
    return Destination(
        url,
        method="PUT" if fact.startswith(_BY_PUT) else "POST",
        content_type="text/json" if fact.startswith(_AS_TEXT) else "application/json",
    )


def _with_national_numbers(event: Event) -> Event:
    """Return the event as a registration made without API version 2 gets it: numbers without a country code."""
    if event.kind not in (Kind.EVENT, Kind.TEST):
        return event
    return replace(event, body=orjson.dumps(_nationalised(orjson.loads(event.body))))


def _nationalised(value: Any) -> Any:
    if isinstance(value, list):
        return [_nationalised(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: mdn.render(inner, 1) if name == "mdn" and isinstance(inner, str) else _nationalised(inner)
        for name, inner in value.items()
    }
