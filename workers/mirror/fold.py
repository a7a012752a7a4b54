"""Which fact wins. Pure.

The statements `upsert_persons`, `update_profiles` and `upsert_subscriptions` follow the same rules against the rows
that are there, so it does not matter how facts are cut into batches.

Every rule picks the greatest, or the least, of what was told in some total order. Such picks can be made in any order
and any number of times with the same result, which is what makes the state converge.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from schemas.callbacks.json_body import canonical_json, short_hash
from schemas.facts import Fact, OptIn, OptOut, PersonIdentity, Profile, Sighting, Stay

StayKey = tuple[UUID, str, datetime]
"""person_uid, list_id, opt_in_date."""


@dataclass(frozen=True, slots=True)
class VersionedProfile:
    """A profile and what it is compared by: Vibes' own times, then its content."""

    profile: Profile
    custom_fields: str
    """As JSON."""
    digest: UUID

    @property
    def version(self) -> tuple[datetime, datetime, UUID]:
        """The greatest version wins."""
        return (self.profile.at, self.profile.event_date, self.digest)


@dataclass(slots=True)
class PersonState:
    """What is known of one person."""

    person_id: str | None = None
    person_key: str | None = None
    profile: VersionedProfile | None = None
    seen_external_person_id: tuple[datetime, str] | None = None
    """When, what; the greatest wins."""
    seen_mdn: tuple[datetime, str, str | None] | None = None
    """When, what, and in E.164 form; the greatest of the first two wins."""


@dataclass(slots=True)
class StayState:
    """What is known of one stay."""

    opt_in: OptIn | None = None
    """The first event that told the opt-in."""
    opt_out: OptOut | None = None
    """The earliest opt-out: it ended the stay, whatever was told later. No opt-in ever reopens a stay."""
    acquisition_campaign_id: str | None = None


@dataclass(slots=True)
class State:
    """Persons and stays."""

    persons: dict[UUID, PersonState] = field(default_factory=dict)
    stays: dict[StayKey, StayState] = field(default_factory=dict)


def fold(facts: Iterable[Fact], person_uids: Mapping[PersonIdentity, UUID]) -> State:
    """Return what the facts add up to."""
    state = State()
    for fact in facts:
        identity = fact.person
        uid = person_uids[identity]
        person = state.persons.get(uid)
        if person is None:
            person = state.persons[uid] = PersonState(identity.person_id, identity.person_key)
        else:
            person.person_id = _least(person.person_id, identity.person_id)
            person.person_key = _least(person.person_key, identity.person_key)
        match fact:
            case Profile():
                _fold_profile(person, fact)
            case Sighting():
                _fold_sighting(person, fact)
            case Stay():
                key = (uid, fact.list_id, fact.opt_in_date)
                stay = state.stays.get(key)
                if stay is None:
                    stay = state.stays[key] = StayState()
                _fold_stay(stay, fact)
    return state


def version_profile(profile: Profile) -> VersionedProfile:
    """Return the profile with its version."""
    custom_fields = canonical_json(profile.custom_fields)
    content = (
        profile.external_person_id,
        profile.mdn,
        profile.carrier_code,
        profile.timezone,
        profile.timezone_source,
        str(profile.created_at),
        str(profile.updated_at),
    )
    return VersionedProfile(
        profile, custom_fields.decode(), short_hash(b"\x00".join((repr(content).encode(), custom_fields)))
    )


def _fold_profile(person: PersonState, profile: Profile) -> None:
    told = version_profile(profile)
    if person.profile is None or told.version > person.profile.version:
        person.profile = told


def _fold_sighting(person: PersonState, seen: Sighting) -> None:
    if seen.external_person_id is not None:
        external = (seen.at, seen.external_person_id)
        if person.seen_external_person_id is None or external > person.seen_external_person_id:
            person.seen_external_person_id = external
    if seen.mdn is not None:
        mdn = (seen.at, seen.mdn, seen.mdn_e164)
        if person.seen_mdn is None or mdn[:2] > person.seen_mdn[:2]:
            person.seen_mdn = mdn


def _fold_stay(stay: StayState, told: Stay) -> None:
    stay.acquisition_campaign_id = _least(stay.acquisition_campaign_id, told.acquisition_campaign_id)
    if told.opt_in is not None:
        known = stay.opt_in
        stay.opt_in = told.opt_in if known is None else min(known, told.opt_in, key=_opt_in_order)
    if told.opt_out is not None:
        ended = stay.opt_out
        stay.opt_out = told.opt_out if ended is None else min(ended, told.opt_out, key=_opt_out_order)


def _opt_in_order(opt_in: OptIn) -> tuple[datetime, str]:
    return (opt_in.event_date, opt_in.event_id)


def _opt_out_order(opt_out: OptOut) -> tuple[datetime, datetime, str, str]:
    return (opt_out.date, opt_out.event_date, opt_out.event_id, opt_out.reason or "")


def _least(one: str | None, other: str | None) -> str | None:
    """Return the lesser of two texts; None stands for nothing told."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
