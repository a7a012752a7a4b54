"""Which person at Vibes a record of the CRM means. Pure.

An external id is unique at Vibes at any one time, but it can be taken from one person and given to another. Writing one
human's data to another is worse than writing nothing, so a record whose external id was seen to move is left to a
human.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.facts import PersonIdentity
from workers.person_sync.state import CrmRecord, KnownPerson


@dataclass(frozen=True, slots=True)
class Moved:
    """The external id is not where it was; `what` says how, without personal data."""

    what: str


def whom(record: CrmRecord, persons: Sequence[KnownPerson]) -> KnownPerson | Moved | None:
    """Return the person a record means; None when we know of none, Moved when that is not sure any more."""
    holders = sorted(
        (person for person in persons if person.external_person_id == record.external_person_id),
        key=lambda person: person.external_person_id_at,
    )
    if record.bound_to is not None:
        return _bound(record.bound_to, persons, holders)
    if len(holders) > 1:
        return Moved("it was on another person before, and nobody has said which of them the CRM means")
    if holders:
        return holders[0]
    numbered = [
        person
        for person in persons
        if person.external_person_id is None and person.mdn_e164 is not None and person.mdn_e164 == record.mdn_e164
    ]
    return numbered[0] if len(numbered) == 1 else None


def is_same(one: PersonIdentity, other: PersonIdentity) -> bool:
    """Tell whether two identities share an id, which makes them the same person."""
    return bool(
        (one.person_key and one.person_key == other.person_key) or (one.person_id and one.person_id == other.person_id)
    )


def _bound(
    bound_to: PersonIdentity, persons: Sequence[KnownPerson], holders: Sequence[KnownPerson]
) -> KnownPerson | Moved | None:
    if holders:
        # An earlier holder may still look like one: what took the id away from them was not told.
        latest = holders[-1]
        if is_same(latest.identity, bound_to):
            return latest
        return Moved("it is on another person now than the one this record was written to")
    bound = next((person for person in persons if is_same(person.identity, bound_to)), None)
    if bound is not None and bound.external_person_id is not None:
        return Moved("the person this record was written to has another one now")
    return bound
