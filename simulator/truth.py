"""What a receiver should have come to know: the MobileDB, and which callbacks told of it."""

from collections.abc import Iterator, Set

from simulator.mobiledb import MobileDB
from simulator.model import JsonObject, Person, Stay
from simulator.times import plain


def truth(db: MobileDB, sent: Set[str]) -> Iterator[JsonObject]:
    """Yield the persons, then the stays. `sent` are the event_ids of all callbacks that went, or will go, somewhere."""
    persons, stays = list(db.persons), list(db.stays)
    yield from (_person(person, sent) for person in persons)
    yield from (_stay(stay) for stay in stays)


def _person(person: Person, sent: Set[str]) -> JsonObject:
    """Return a person.

    `announced`: a person_* callback told exactly this state, so a receiver can be compared with it. `referenced`: some
    callback named the person. `key_told`: one of those named the person_key too, as only subscription callbacks do.
    """
    told = person.announced_state == person.updated_at and person.announced_by in sent
    return {
        "kind": "person",
        "person_id": person.person_id,
        "person_key": person.person_key,
        "external_person_id": person.external_person_id,
        "mdn": person.mdn,
        "carrier_code": person.carrier_code,
        "timezone": person.timezone,
        "custom_fields": person.custom_fields,
        "created_at": plain(person.created_at),
        "updated_at": plain(person.updated_at),
        "announced": told,
        "announced_by": person.announced_by,
        "referenced": person.referenced_by in sent,
        "key_told": person.key_told_by in sent,
    }


def _stay(stay: Stay) -> JsonObject:
    """Return a stay, with the event_ids of the callbacks about its start and its end."""
    return {
        "kind": "stay",
        "person_id": stay.person.person_id,
        "list_id": stay.list_id,
        "opt_in_date": plain(stay.opt_in_date),
        "opt_out_date": None if stay.opt_out_date is None else plain(stay.opt_out_date),
        "opt_out_reason": stay.opt_out_reason,
        "added_by": stay.added_by,
        "removed_by": stay.removed_by,
    }
