"""What an event tells about persons and their stays. Facts are folded into state by `workers.mirror`.

A fact never depends on when or how often it arrived, only on what Vibes said: that is what makes the state the same in
whatever order, and however often, the same callbacks are applied. Facts are tuples, because some are made for each
callback, and a frozen dataclass takes several times as long to make (docs/performance.md, "Apply").
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

BEGINNING = datetime.min.replace(tzinfo=UTC)
"""Stands for "no start was told"; `-infinity` in the database."""


class PersonIdentity(NamedTuple):
    """The ids of Vibes by which an event names a person; at least one is there.

    Two ids in one event always mean the same person (docs/vibes.md, "Persons").
    """

    person_id: str | None
    person_key: str | None


class Profile(NamedTuple):
    """The complete state of a person at `at`, as a person_added or person_updated tells it.

    It replaces the profile before: a custom field that is missing is gone.
    """

    person: PersonIdentity
    at: datetime
    """The person's updated_at, else the event's date, else BEGINNING."""
    event_date: datetime
    """The event's date, else `at`. Settles ties of `at`, which Vibes often tells by the minute only."""
    external_person_id: str | None
    mdn: str | None
    mdn_e164: str | None
    carrier_code: str | None
    timezone: str | None
    timezone_source: str | None
    custom_fields: dict[str, Any]
    created_at: datetime | None
    updated_at: datetime | None


class Sighting(NamedTuple):
    """What a subscription event repeats of the person: it fills in what no profile has told yet."""

    person: PersonIdentity
    at: datetime
    """The event's date, else the stay's."""
    external_person_id: str | None
    mdn: str | None
    mdn_e164: str | None


class OptIn(NamedTuple):
    """Proof that a stay began."""

    event_date: datetime
    event_id: str


class OptOut(NamedTuple):
    """Proof that a stay ended."""

    date: datetime
    event_date: datetime
    event_id: str
    reason: str | None


class Stay(NamedTuple):
    """What one event tells about one stay: that it began, or that it ended."""

    person: PersonIdentity
    list_id: str
    opt_in_date: datetime
    """Start of the stay; BEGINNING when an opt-out did not tell it."""
    opt_in: OptIn | None = None
    opt_out: OptOut | None = None
    acquisition_campaign_id: str | None = None


Fact = Profile | Sighting | Stay
