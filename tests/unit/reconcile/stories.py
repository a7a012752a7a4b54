"""Persons as the mirror has them and as Vibes answers them, to be varied."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.facts import PersonIdentity, Profile
from workers.mirror.fold import version_profile
from workers.reconcile.answer import Answer, ListedStay, Listing
from workers.reconcile.here import HeldProfile, HeldStay, Here

ASKED_AT = datetime(2024, 6, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(2024, 1, 15, 15, 34, 52, tzinfo=UTC)
DAY = timedelta(days=1)
UID = UUID(int=7)
PERSON = PersonIdentity("P1", "K1")

PROFILE = Profile(
    person=PERSON,
    at=LONG_AGO,
    event_date=LONG_AGO,
    external_person_id="ex1",
    mdn="+13125550100",
    mdn_e164="+13125550100",
    carrier_code="104",
    timezone="US/Central",
    timezone_source="area_code",
    custom_fields={"first_name": "Steve"},
    created_at=LONG_AGO,
    updated_at=LONG_AGO,
)


def held(profile: Profile = PROFILE, **changes: Any) -> HeldProfile:
    """The profile as the mirror has it once that was told."""
    read = HeldProfile(
        version=version_profile(profile).version,
        external_person_id=profile.external_person_id,
        mdn=profile.mdn,
        mdn_e164=profile.mdn_e164,
        carrier_code=profile.carrier_code,
        timezone=profile.timezone,
        timezone_source=profile.timezone_source,
        custom_fields=profile.custom_fields,
        created_at=profile.created_at,
    )
    return replace(read, **changes)


def here(*stays: HeldStay, profile: HeldProfile | None = None, **changes: Any) -> Here:
    """A person who is in the mirror, with these stays."""
    person = Here(UID, "P1", "K1", "ex1", held() if profile is None else profile, stays)
    return replace(person, **changes)


def answer(*stays: ListedStay, confirmed: tuple[ListedStay, ...] | None = None, **changes: Any) -> Answer:
    """What Vibes has of the person; asked for confirmed stays too if those are given."""
    told = Answer(ASKED_AT, PersonIdentity(None, "K1"), PROFILE, listing=Listing(stays))
    if confirmed is not None:
        told = replace(told, confirmed=Listing(confirmed))
    return replace(told, **changes)
