"""What a row of the outbox needs next. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field

from runtime.companies import Sync
from schemas.facts import PersonIdentity
from vibes_api import UNSET, PersonPatch
from vibes_api.patch import TextField
from workers.person_sync.differences import differing
from workers.person_sync.state import CrmRecord, KnownPerson, SyncState
from workers.person_sync.wanted import wanted_custom_fields
from workers.person_sync.whom import Moved, is_same, whom

PERSON_NOT_FOUND = "person not found"
PERSON_UNKNOWN_HERE = "the mirror has no such person"
RECORD_GONE = "the CRM has no such record any more"
NOT_ADDED = "Vibes does not know the person, and add_unknown_persons is off"
NUMBER_DIFFERS = "number differs: Vibes has another number than the CRM, and no call can change a number"
MOVED = "the external id moved: "
ANSWER_NOT_STORED = "the answer cannot be stored"


@dataclass(frozen=True, slots=True)
class Hydrate:
    """Read the person from Vibes: by the one id of `address`, and should that be unknown there, by the external id."""

    address: PersonIdentity | None
    external_person_id: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Push:
    """Write what the CRM wants and Vibes lacks."""

    address: PersonIdentity | None
    """The one id of the person to change, or None: the one with `external_person_id`."""
    external_person_id: str = field(repr=False)
    changes: PersonPatch
    whole: PersonPatch | None
    """The person to add, should Vibes not know the one to change; None: nobody is to be added."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing more to do; `remark` says what could not be done."""

    remark: str | None = None
    person: PersonIdentity | None = None
    """Whom the record of the CRM agrees with now."""


@dataclass(frozen=True, slots=True)
class Flag:
    """No call can do what is wanted; a human has to look."""

    why: str


Action = Hydrate | Push | Finish | Flag


def decide(state: SyncState, policy: Sync, tried: Collection[type[Action]] = ()) -> Action:
    """Return what to do next for a row of the outbox.

    `tried` are the kinds of call that were made for this sync already; none is made twice, so that an answer which does
    not show what was asked for (Vibes may write a value in another form) cannot make a loop.
    """
    if state.external_person_id is None:
        return _decide_read(state, policy, tried)
    if state.record is None:
        return Finish(RECORD_GONE)
    return _decide_write(state.record, state.persons, policy, tried)


def _decide_read(state: SyncState, policy: Sync, tried: Collection[type[Action]]) -> Action:
    if not state.persons:
        return Finish(PERSON_UNKNOWN_HERE)
    person = state.persons[0]
    if person.hydrated or not policy.hydrate_unknown_persons:
        return Finish()
    return Finish(PERSON_NOT_FOUND) if Hydrate in tried else Hydrate(person.address, person.external_person_id)


def _decide_write(
    record: CrmRecord, persons: Collection[KnownPerson], policy: Sync, tried: Collection[type[Action]]
) -> Action:
    person = whom(record, tuple(persons))
    if isinstance(person, Moved):
        return Flag(MOVED + person.what)
    if person is not None and not person.hydrated:
        # What differs is not known before; and it may turn out that somebody else has the external id.
        if Hydrate not in tried:
            return Hydrate(person.address, record.external_person_id)
        person = None
    if person is None and record.bound_to is None and not policy.add_unknown_persons:
        # A PUT to an external id adds the person, so it has to be read whether there is one.
        return Finish(NOT_ADDED) if Hydrate in tried else Hydrate(None, record.external_person_id)
    push, remark = _push(record, person, policy)
    if Push not in tried and (person is None or not push.changes.is_empty):
        return push
    if person is None:
        # The answer to the write did not say whom it was about.
        return Finish(remark or PERSON_NOT_FOUND) if Hydrate in tried else Hydrate(None, record.external_person_id)
    if policy.number_mismatch == "conflict" and _numbers_differ(record, person):
        return Flag(NUMBER_DIFFERS)
    return Finish(remark, _to_bind(record, person))


def _push(record: CrmRecord, person: KnownPerson | None, policy: Sync) -> tuple[Push, str | None]:
    wanted, unfit = wanted_custom_fields(record.custom_fields, policy)
    whole = PersonPatch(
        external_person_id=record.external_person_id,
        mdn=record.mdn_e164 or (person.mdn_e164 if person and not record.removes_mdn else None) or UNSET,
        carrier_code=record.carrier_code if record.mdn_e164 and record.carrier_code else UNSET,
        custom_fields={name: value for name, value in wanted.items() if value is not None},
    )
    remark = f"not of the configured type: {', '.join(unfit)}" if unfit else None
    to_add = whole if policy.add_unknown_persons else None
    if person is None:
        return Push(record.bound_to, record.external_person_id, whole, to_add), remark
    linked = person.external_person_id is not None
    number = _number(record, person)
    changes = PersonPatch(
        external_person_id=UNSET if linked else record.external_person_id,
        mdn=number,
        # The carrier belongs to the number.
        carrier_code=record.carrier_code if isinstance(number, str) and record.carrier_code else UNSET,
        custom_fields=differing(wanted, person.custom_fields),
    )
    # A person without the external id is addressed by Vibes' own: a PUT to an external id that nobody has may add a
    # second person, who has no number.
    return Push(None if linked else person.address, record.external_person_id, changes, to_add), remark


def _number(record: CrmRecord, person: KnownPerson) -> TextField:
    """Return what to send of the number: an MDN cannot be changed at Vibes (409), only set where there is none."""
    if record.removes_mdn:
        return UNSET if person.mdn is None else None
    return record.mdn_e164 if person.mdn is None and record.mdn_e164 else UNSET


def _numbers_differ(record: CrmRecord, person: KnownPerson) -> bool:
    return bool(record.mdn_e164 and person.mdn_e164 and record.mdn_e164 != person.mdn_e164)


def _to_bind(record: CrmRecord, person: KnownPerson) -> PersonIdentity | None:
    """Return the person to bind the record to, unless it is bound to them with all their ids already."""
    if person.external_person_id != record.external_person_id:
        return None
    bound = record.bound_to
    if bound is not None and (bound == person.identity or not is_same(bound, person.identity)):
        return None
    return person.identity
