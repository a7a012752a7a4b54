"""From a person that Vibes answered to the fact the mirror takes. Pure."""

from schemas.callbacks.bodies import read_person
from schemas.callbacks.events import profile_of
from schemas.callbacks.json_body import canonical_json, read_json_body
from schemas.facts import PersonIdentity, Profile
from vibes_api import Person as Answered


def profile_of_answer(answered: Answered, asked: PersonIdentity | None, default_country: str | None) -> Profile | None:
    """Return the profile an answer of the Person API tells; None when it does not say whose it is.

    `asked` is the id that was asked for with a GET, if it was one of Vibes': an answer that leaves it out is about that
    person all the same. None for a write: by an old guide of Vibes its answer may be no more than what was sent, and
    only a whole person has an id of Vibes'. An answer without a readable updated_at gets the oldest version there is:
    it never replaces what a callback told.

    Raises MessageError `too_deep` for an answer that no database can hold.
    """
    # Read the way a callback's body is, so that both tell the mirror the same.
    person = read_person(read_json_body(canonical_json(answered.raw)).object)
    if person is None:
        return None
    person_id = person.reference.vibes_id or (asked.person_id if asked else None)
    person_key = person.reference.person_key or (asked.person_key if asked else None)
    if not (person_id or person_key):
        return None
    return profile_of(person, PersonIdentity(person_id, person_key), None, default_country)
