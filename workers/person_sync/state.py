"""What is known and wanted of one person, as read in one go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.facts import BEGINNING, PersonIdentity


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A person as the mirror has it. Personal data stays out of the repr."""

    identity: PersonIdentity
    hydrated: bool
    """Whether Vibes ever told the whole person; without that `custom_fields` says nothing."""
    external_person_id: str | None = field(repr=False, default=None)
    external_person_id_at: datetime = BEGINNING
    """When Vibes told that."""
    mdn: str | None = field(repr=False, default=None)
    mdn_e164: str | None = field(repr=False, default=None)
    custom_fields: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @property
    def address(self) -> PersonIdentity:
        """The one id that stands for the person in a path: Vibes takes a person_key there, and still a person_id."""
        key = self.identity.person_key
        return PersonIdentity(None if key else self.identity.person_id, key)


@dataclass(frozen=True, slots=True)
class CrmRecord:
    """A person as the CRM wants Vibes to know it. Personal data stays out of the repr."""

    external_person_id: str = field(repr=False)
    mdn: str | None = field(repr=False, default=None)
    mdn_e164: str | None = field(repr=False, default=None)
    removes_mdn: bool = False
    """Whether the CRM said that the person has no number, rather than nothing about it."""
    carrier_code: str | None = field(repr=False, default=None)
    custom_fields: Mapping[str, Any] = field(repr=False, default_factory=dict)
    """By the CRM's names; None is to be removed at Vibes."""
    bound_to: PersonIdentity | None = None
    """The person at Vibes it was written to last."""


@dataclass(frozen=True, slots=True)
class SyncState:
    """One row of the outbox with what it is about."""

    desired_version: int
    synced_version: int
    attempts: int
    due: bool
    bulk: bool = False
    event_id: str | None = None
    """Which event it follows from, where one does."""
    external_person_id: str | None = field(repr=False, default=None)
    """The record of the CRM that is to be written; None: a person is to be read."""
    record: CrmRecord | None = None
    """That record; None when it is gone."""
    persons: tuple[KnownPerson, ...] = ()
    """The person to be read, if the mirror has it (still). Else whoever the record may mean: the person it is bound to,
    those with its external id, and those with its number if no other record has the number."""
