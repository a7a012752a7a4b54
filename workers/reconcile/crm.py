"""Whether Vibes has what a record of the CRM wants. Pure: the person worker's own decision, asked without a write."""

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.companies import Sync
from schemas.facts import BEGINNING, Profile
from vibes_api import PersonPatch
from workers.person_sync.decide import Flag, Hydrate, Push, decide
from workers.person_sync.state import CrmRecord, KnownPerson, SyncState
from workers.person_sync.whom import is_same
from workers.reconcile.drift import Drift, Kind

UNDER_WAY = ("pending", "postponed")
"""Statuses of person_sync: a write is coming anyway."""
CONFLICT = "conflict"
RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A record of the CRM, and what its row of the outbox says of it."""

    record: CrmRecord
    sync_status: str | None = None
    """None: it never was in the outbox."""


def compare_records(records: Sequence[HeldRecord], profile: Profile | None, policy: Sync) -> list[Drift]:
    """Return which records Vibes' person does not agree with. `profile` None: Vibes knows nobody for the records."""
    if not policy.push_crm_changes:
        return []
    person = _known(profile) if profile else None
    found = (_compare(held, person, policy) for held in records if person is None or _means(held.record, person))
    return [drift for drift in found if drift is not None]


def _compare(held: HeldRecord, person: KnownPerson | None, policy: Sync) -> Drift | None:
    if held.sync_status == RESOLVED or held.sync_status in UNDER_WAY:
        # A human decided that it stays so, or it is about to be written.
        return None
    external = held.record.external_person_id
    persons = (person,) if person else ()
    action = decide(
        SyncState(
            desired_version=1,
            synced_version=0,
            attempts=0,
            due=True,
            external_person_id=external,
            record=held.record,
            persons=persons,
        ),
        policy,
        {Hydrate},
    )
    fields: tuple[str, ...] = ()
    remark = None
    if isinstance(action, Flag):
        remark = action.why
    elif isinstance(action, Push):
        fields = _fields(action.changes)
    else:
        return None
    kind = Kind.CRM_DIFFERS if person else Kind.CRM_UNKNOWN
    if held.sync_status == CONFLICT:
        return Drift(kind, fields, remark="a conflict already: see vibes-pipeline conflicts list")
    return Drift(kind, fields, record=external, remark=remark)


def _means(record: CrmRecord, person: KnownPerson) -> bool:
    """Tell whether the record is this person's, was before, or would be by their number alone."""
    if record.external_person_id == person.external_person_id:
        return True
    if record.bound_to is not None:
        return is_same(record.bound_to, person.identity)
    return person.external_person_id is None and record.mdn_e164 is not None and record.mdn_e164 == person.mdn_e164


def _known(profile: Profile) -> KnownPerson:
    return KnownPerson(
        identity=profile.person,
        hydrated=True,
        external_person_id=profile.external_person_id,
        external_person_id_at=BEGINNING,
        mdn=profile.mdn,
        mdn_e164=profile.mdn_e164,
        custom_fields=profile.custom_fields,
    )


def _fields(changes: PersonPatch) -> tuple[str, ...]:
    body = changes.to_json()
    phone, custom = body.pop("mobile_phone", None), body.pop("custom_fields", None)
    return (
        *body,
        *(phone if isinstance(phone, dict) else ()),
        *(f"custom_fields.{name}" for name in (custom if isinstance(custom, dict) else ())),
    )
