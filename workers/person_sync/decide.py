"""Which call a person needs next, if any. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field

from runtime.companies import Sync
from schemas.facts import PersonIdentity
from vibes_api import UNSET, PersonPatch
from workers.person_sync.differences import differing
from workers.person_sync.state import CrmPerson, KnownPerson, SyncState

PERSON_NOT_FOUND = "person not found"
PERSON_UNKNOWN_HERE = "the mirror has no such person"


@dataclass(frozen=True, slots=True)
class Hydrate:
    """Read the person from Vibes: by the one id of `address`, and should that be unknown there, by the external id."""

    address: PersonIdentity
    external_person_id: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Push:
    """Write what the CRM wants and Vibes lacks."""

    address: PersonIdentity | None
    """The one id of the person to change, or None: the one with `external_person_id`."""
    external_person_id: str = field(repr=False)
    changes: PersonPatch
    whole: PersonPatch
    """The person to add, should Vibes not know the one to change."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing more to do; `remark` says what could not be done."""

    remark: str | None = None


Action = Hydrate | Push | Finish


def decide(state: SyncState, policy: Sync, tried: Collection[type[Action]] = ()) -> Action:
    """Return what to do next for a person.

    `tried` are the kinds of call that were made for this sync already; none is made twice, so that an answer which does
    not show what was asked for (Vibes may write a value in another form) cannot make a loop.
    """
    person = state.person
    if person is None:
        return Finish(PERSON_UNKNOWN_HERE)
    if not person.hydrated and policy.hydrate_unknown_persons:
        if Hydrate in tried:
            return Finish(PERSON_NOT_FOUND)
        return Hydrate(person.address, person.external_person_id)
    if state.crm is not None and policy.push_crm_data and Push not in tried:
        push = _push(person, state.crm)
        if not push.changes.is_empty:
            return push
    return Finish()


def _push(person: KnownPerson, crm: CrmPerson) -> Push:
    linked = person.external_person_id is not None
    # An MDN cannot be changed at Vibes (409), only set where there is none; its carrier belongs to it.
    numberless = person.mdn is None and crm.mdn_e164 is not None
    changes = PersonPatch(
        external_person_id=UNSET if linked else crm.external_person_id,
        mdn=crm.mdn_e164 if numberless else UNSET,
        carrier_code=crm.carrier_code if numberless and crm.carrier_code else UNSET,
        custom_fields=differing(crm.custom_fields, person.custom_fields if person.hydrated else None),
    )
    # A person without the external id is addressed by Vibes' own: a PUT to an external id that nobody has may add a
    # second person, who has no number.
    return Push(None if linked else person.address, crm.external_person_id, changes, _whole(person, crm))


def _whole(person: KnownPerson, crm: CrmPerson) -> PersonPatch:
    mdn = crm.mdn_e164 or person.mdn_e164
    return PersonPatch(
        external_person_id=crm.external_person_id,
        mdn=mdn or UNSET,
        carrier_code=crm.carrier_code if crm.mdn_e164 and crm.carrier_code else UNSET,
        custom_fields={name: value for name, value in crm.custom_fields.items() if value is not None},
    )
