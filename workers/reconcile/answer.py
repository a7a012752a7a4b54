"""What Vibes answered about one person. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from schemas.callbacks.bodies import read_subscription
from schemas.callbacks.json_body import canonical_json, read_json_body
from schemas.facts import PersonIdentity, Profile
from vibes_api import JsonObject

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ListedStay:
    """A stay as Vibes lists it; `opt_out_date` None: it goes on, or was never confirmed."""

    list_id: str
    opt_in_date: datetime
    opt_out_date: datetime | None = None
    opt_out_reason: str | None = None
    acquisition_campaign_id: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer to one question for a person's stays."""

    stays: tuple[ListedStay, ...] = ()
    unreadable: int = 0
    """Stays of the answer without a list, a start, or a readable end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One person at Vibes."""

    asked_at: datetime
    """When the first question was asked, by our clock: everything in the answer is as new as that, or newer."""
    asked: PersonIdentity | None = None
    """The id asked for; None: an external id."""
    profile: Profile | None = None
    """None: Vibes does not know the person."""
    other_person: bool = False
    """Whether it is unknown because Vibes answered with somebody else."""
    listing: Listing = Listing()
    """All stays, ended ones too."""
    confirmed: Listing | None = None
    """Those that go on and are confirmed, which Vibes lists apart; None: not asked for."""

    def unknown(self) -> "Answer":
        """Return the answer without the person: Vibes does not know the one asked for."""
        return replace(self, profile=None, listing=Listing(), confirmed=None)


def read_listing(listed: Iterable[JsonObject]) -> Listing:
    """Read subscription entities the way callbacks are read. Raises MessageError for one no database can hold."""
    stays: list[ListedStay] = []
    unreadable = 0
    for entity in listed:
        stay = _read_stay(entity)
        if stay is None:
            unreadable += 1
        else:
            stays.append(stay)
    return Listing(tuple(stays), unreadable)


def _read_stay(entity: JsonObject) -> ListedStay | None:
    told = read_subscription(read_json_body(canonical_json(entity)).object)
    if told is None or told.list_id is None or told.opt_in_date is None:
        return None
    ended = told.opt_out_reason is not None or bool(entity.get("opt_out_date"))
    if ended and told.opt_out_date is None:
        return None
    return ListedStay(
        told.list_id, told.opt_in_date, told.opt_out_date, told.opt_out_reason, told.acquisition_campaign_id
    )


def same_moment(one: datetime, other: datetime) -> bool:
    """Tell whether two times mean the same moment, though one is told by the second or by the minute only.

    Vibes writes one time in several ways: callbacks have seconds, or none at all, where answers have milliseconds.
    """
    return one == other or any(
        cut_off(one, unit) == cut_off(other, unit) and (one == cut_off(one, unit) or other == cut_off(other, unit))
        for unit in (SECOND, MINUTE)
    )


def cut_off(moment: datetime, unit: timedelta = SECOND) -> datetime:
    """Return the moment without what is finer than a second, or a minute."""
    whole = moment.replace(microsecond=0)
    return whole if unit == SECOND else whole.replace(second=0)
