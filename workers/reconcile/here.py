"""What the mirror has of one person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class HeldProfile:
    """The profile, as the mirror shows it."""

    version: tuple[datetime, datetime, UUID]
    """As in workers/mirror/fold.py: the greater one wins."""
    external_person_id: str | None = field(repr=False, default=None)
    mdn: str | None = field(repr=False, default=None)
    mdn_e164: str | None = field(repr=False, default=None)
    carrier_code: str | None = None
    timezone: str | None = None
    timezone_source: str | None = None
    custom_fields: Mapping[str, Any] = field(repr=False, default_factory=dict)
    created_at: datetime | None = None

    @property
    def told_at(self) -> datetime:
        """When Vibes told it."""
        return self.version[1]


@dataclass(frozen=True, slots=True)
class HeldStay:
    """A stay; `opt_out_date` None: not ended."""

    list_id: str
    opt_in_date: datetime
    opt_out_date: datetime | None = None
    opt_out_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Here:
    """One person in the mirror; all of it empty for one who is not there."""

    person_uid: UUID | None = None
    person_id: str | None = None
    person_key: str | None = None
    external_person_id: str | None = field(repr=False, default=None)
    profile: HeldProfile | None = None
    stays: tuple[HeldStay, ...] = ()


def goes_on(stay: HeldStay, stays: tuple[HeldStay, ...]) -> bool:
    """Tell whether the person is subscribed by this stay, by the rule of the view current_subscriptions."""
    return stay.opt_out_date is None and not is_ended(stay.list_id, stay.opt_in_date, stays)


def is_ended(list_id: str, opt_in_date: datetime, stays: tuple[HeldStay, ...]) -> bool:
    """Tell whether an opt-out from the list, of whichever stay, came at or after that opt-in."""
    return any(
        other.list_id == list_id and other.opt_out_date is not None and other.opt_out_date >= opt_in_date
        for other in stays
    )
