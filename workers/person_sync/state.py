"""What is known and wanted of one person, as read in one go."""

from dataclasses import dataclass, field
from typing import Any

from schemas.facts import PersonIdentity


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A person as the mirror has it. Personal data stays out of the repr."""

    identity: PersonIdentity
    hydrated: bool
    """Whether Vibes ever told the whole person; without that `custom_fields` says nothing."""
    external_person_id: str | None = field(repr=False, default=None)
    mdn: str | None = field(repr=False, default=None)
    mdn_e164: str | None = field(repr=False, default=None)
    custom_fields: dict[str, Any] = field(repr=False, default_factory=dict)

    @property
    def address(self) -> PersonIdentity:
        """The one id that stands for the person in a path: Vibes takes a person_key there, and still a person_id."""
        key = self.identity.person_key
        return PersonIdentity(None if key else self.identity.person_id, key)


@dataclass(frozen=True, slots=True)
class CrmPerson:
    """A person as the CRM wants Vibes to know it. Personal data stays out of the repr."""

    external_person_id: str = field(repr=False)
    mdn_e164: str | None = field(repr=False, default=None)
    carrier_code: str | None = field(repr=False, default=None)
    custom_fields: dict[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class SyncState:
    """One row of the outbox with the person it is about."""

    desired_version: int
    synced_version: int
    attempts: int
    due: bool
    person: KnownPerson | None
    """None: the mirror has no such person (any more)."""
    crm: CrmPerson | None
    """The CRM's record of the person: the one with their external id, else the only one with their number."""
