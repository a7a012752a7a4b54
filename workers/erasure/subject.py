"""Whom an event is about, and as of when. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.callbacks.events import Event
from schemas.facts import BEGINNING, Fact, Profile, Sighting, Stay
from schemas.values import normalise_mdn, read_text
from workers.erasure.identifiers import EXTERNAL_PERSON_ID, MDN, PERSON_ID, PERSON_KEY, Identity

_NUMBER_PATHS = (
    ("participant", "person", "mobile_phone", "mdn"),
    ("participant", "mobile_phone", "mdn"),
    ("participant", "mdn"),
    ("event_processed", "event_data", "mdn"),
)
"""Where bodies that tell no fact have a number (docs/vibes.md)."""


@dataclass(frozen=True, slots=True, repr=False)
class Subject:
    """Whom something is about, and as of when."""

    vibes: tuple[Identity, ...]
    """Ids of Vibes: they tell for sure."""
    others: tuple[Identity, ...]
    """The customer's id and the number: several persons may have them, one after the other or at once."""
    at: datetime | None
    """None: it does not tell."""


def subject_of(event: Event, default_country: str | None) -> Subject:
    """Return whom an event is about.

    Its moment is that of what it tells: a profile's updated_at, the start of a stay (the end of one that began before
    an erasure is about the erased person, however late it comes), the event's date for everything else.
    """
    return Subject(
        vibes=_present((PERSON_ID, event.person_id), (PERSON_KEY, event.person_key)),
        others=_present(
            (EXTERNAL_PERSON_ID, event.external_person_id), *((MDN, each) for each in _numbers(event, default_country))
        ),
        at=_moment(event),
    )


def subject_of_profile(profile: Profile) -> Subject:
    """Return whom a profile the Person API answered is about, as of the time Vibes changed it last."""
    return Subject(
        vibes=_present((PERSON_ID, profile.person.person_id), (PERSON_KEY, profile.person.person_key)),
        others=_present((EXTERNAL_PERSON_ID, profile.external_person_id), (MDN, profile.mdn), (MDN, profile.mdn_e164)),
        at=_moment_of_fact(profile),
    )


def _moment(event: Event) -> datetime | None:
    for fact in event.facts:
        if (moment := _moment_of_fact(fact)) is not None:
            return moment
    return event.event_date


def _moment_of_fact(fact: Fact) -> datetime | None:
    match fact:
        case Profile(at=at) if at != BEGINNING:
            return at
        case Stay(opt_in_date=opt_in_date) if opt_in_date != BEGINNING:
            return opt_in_date
        case Stay(opt_out=opt_out) if opt_out is not None:
            return opt_out.date
        case _:
            return None


def _numbers(event: Event, default_country: str | None) -> set[str]:
    found: set[str | None] = set()
    for fact in event.facts:
        if isinstance(fact, Profile | Sighting):
            found |= {fact.mdn, fact.mdn_e164}
    if not event.facts:
        for path in _NUMBER_PATHS:
            number = _text_at(event.body.object, path)
            if number is not None:
                found |= {number, normalise_mdn(number, default_country)}
    return {number for number in found if number is not None}


def _text_at(body: Mapping[str, Any], path: tuple[str, ...]) -> str | None:
    value: Any = body
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return read_text(value)


def _present(*told: tuple[str, str | None]) -> tuple[Identity, ...]:
    return tuple(dict.fromkeys((kind, value) for kind, value in told if value))
