"""How the mirror and Vibes differ about one person. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.facts import Profile
from workers.mirror.fold import version_profile
from workers.person_sync.differences import agree
from workers.reconcile.answer import Answer, same_moment
from workers.reconcile.drift import Drift, Kind
from workers.reconcile.here import HeldProfile, Here
from workers.reconcile.stays import SETTLED, Told, compare_stays, end_all


@dataclass(frozen=True, slots=True)
class Origin:
    """By what the repairs of a run are known, and what it may do."""

    event_id: str
    close_gone: bool = False
    """Whether to end the stays of persons Vibes does not know."""


def compare(here: Here, answer: Answer, origin: Origin) -> list[Drift]:
    """Return how the mirror differs from what Vibes answered.

    `here` has to be read after the answer was there: what was applied in between is no drift then.
    """
    if answer.profile is None:
        return _compare_gone(here, answer, origin) if answer.asked is not None else []
    told = Told(answer.profile.person, origin.event_id, answer.asked_at)
    return [*_compare_profile(here, answer, answer.profile), *compare_stays(here, answer, told)]


def as_read(profile: Profile, answer_asked: Answer) -> Profile:
    """Return a profile as one told at the time of reading.

    Vibes tells updated_at by the minute in places. Of two states of the same minute the one read is the later one, and
    what subscription events told of number and external id before the reading is older than it.
    """
    return profile._replace(event_date=answer_asked.asked_at)


def _compare_gone(here: Here, answer: Answer, origin: Origin) -> list[Drift]:
    assert answer.asked is not None  # noqa: S101 - the caller looked
    told = Told(answer.asked, origin.event_id, answer.asked_at)
    remark = "Vibes answers with another person, as after a merge" if answer.other_person else None
    return [Drift(Kind.PERSON_GONE, remark=remark), *end_all(here, told, repair=origin.close_gone)]


def _compare_profile(here: Here, answer: Answer, profile: Profile) -> Iterator[Drift]:
    read = as_read(profile, answer)
    if here.profile is None:
        yield Drift(Kind.PROFILE_MISSING, facts=(read,))
        return
    fields = tuple(_differing(here.profile, read))
    ids = ("person_id", "person_key")
    unknown_ids = tuple(name for name in ids if getattr(profile.person, name) and getattr(here, name) is None)
    wins = version_profile(read).version > here.profile.version
    if fields and not wins:
        if here.profile.told_at > answer.asked_at - SETTLED:
            fields = ()  # Told a moment ago, and perhaps not yet in Vibes' answers.
        else:
            remark = "the profile here is newer by Vibes' own times"
            yield Drift(Kind.PROFILE_DIFFERS, fields, remark=remark)
            fields = ()
    if fields or unknown_ids:
        yield Drift(Kind.PROFILE_DIFFERS, (*unknown_ids, *fields), facts=(read,))


def _differing(held: HeldProfile, read: Profile) -> Iterator[str]:
    """Yield the names of the fields that do not mean the same on both sides."""
    for name in ("external_person_id", "carrier_code", "timezone", "timezone_source"):
        if getattr(held, name) != getattr(read, name):
            yield name
    if not _same_number(held, read):
        yield "mdn"
    if read.created_at and not (held.created_at and same_moment(held.created_at, read.created_at)):
        yield "created_at"
    for name in sorted(held.custom_fields.keys() | read.custom_fields.keys()):
        if not _same_value(held.custom_fields, read.custom_fields, name):
            yield f"custom_fields.{name}"


def _same_number(held: HeldProfile, read: Profile) -> bool:
    if held.mdn == read.mdn or (held.mdn_e164 is not None and held.mdn_e164 == read.mdn_e164):
        return True
    # Callbacks of registrations not made with API version 2 have no country code.
    national = held.mdn is not None and read.mdn is not None and not held.mdn.startswith("+")
    return national and held.mdn_e164 is None and (read.mdn or "").endswith(held.mdn or "")


def _same_value(held: Mapping[str, Any], read: Mapping[str, Any], name: str) -> bool:
    # Either may have a choice in a fuller form: old bodies lack option_key.
    one, other = held.get(name), read.get(name)
    return agree(one, other) or agree(other, one)
