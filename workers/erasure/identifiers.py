"""What a person is known by, and how it may be written. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

import orjson
import phonenumbers

from schemas.callbacks.json_body import short_hash
from workers.mirror.identity import crm_record_uid

PERSON_ID = "person_id"
PERSON_KEY = "person_key"
EXTERNAL_PERSON_ID = "external_person_id"
MDN = "mdn"

_LEAST_DIGITS = 7
"""Fewer digits without a country code are no number somebody could be known by."""

Identity = tuple[str, str]
"""Kind of the id (one of the four above) and the id or number."""


@dataclass(frozen=True, slots=True, repr=False)
class Identifiers:
    """Everything one person is known by, here and at Vibes."""

    person_uids: frozenset[UUID] = frozenset()
    """In the mirror."""
    person_ids: frozenset[str] = frozenset()
    person_keys: frozenset[str] = frozenset()
    external_person_ids: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    """As they were told, and in E.164 form where that is possible."""
    crm_records: frozenset[str] = frozenset()
    """External ids of their records of the CRM."""

    def __or__(self, other: "Identifiers") -> "Identifiers":
        return Identifiers(*(getattr(self, each.name) | getattr(other, each.name) for each in fields(self)))

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))

    @property
    def has_vibes_id(self) -> bool:
        """Whether one of Vibes' own ids is known."""
        return bool(self.person_ids or self.person_keys)

    @property
    def number_forms(self) -> frozenset[str]:
        """The numbers in every form a body may have them in: told, E.164, without the plus, without the country."""
        return frozenset(form for number in self.numbers for form in _forms(number))

    def sync_uids(self, company_key: str) -> list[UUID]:
        """Return what stands for the person in the outbox and in its locks, sorted."""
        return sorted(self.person_uids | set(self.record_uids(company_key)), key=str)

    def record_uids(self, company_key: str) -> list[UUID]:
        """Return what stands for the records of the CRM in the outbox."""
        return [crm_record_uid(company_key, external) for external in self.crm_records]

    def identities(self) -> set[Identity]:
        """Return every id and every form of the numbers, with their kinds."""
        externals = self.external_person_ids | self.crm_records
        told = ((PERSON_ID, self.person_ids), (PERSON_KEY, self.person_keys), (EXTERNAL_PERSON_ID, externals))
        return {(kind, value) for kind, values in (*told, (MDN, self.number_forms)) for value in values}

    def to_json(self) -> str:
        """Return what `from_json` reads."""
        return orjson.dumps({each.name: sorted(map(str, getattr(self, each.name))) for each in fields(self)}).decode()

    @classmethod
    def from_json(cls, text: str) -> "Identifiers":
        """Read what `to_json` wrote."""
        told: dict[str, Any] = orjson.loads(text)
        uids = frozenset(map(UUID, told.pop("person_uids")))
        return cls(person_uids=uids, **{name: frozenset(values) for name, values in told.items()})


def of_kinds(identities: Iterable[Identity]) -> Identifiers:
    """Return identifiers from ids with their kinds."""
    by_kind: dict[str, set[str]] = {PERSON_ID: set(), PERSON_KEY: set(), EXTERNAL_PERSON_ID: set(), MDN: set()}
    for kind, value in identities:
        by_kind[kind].add(value)
    return Identifiers(
        person_ids=frozenset(by_kind[PERSON_ID]),
        person_keys=frozenset(by_kind[PERSON_KEY]),
        external_person_ids=frozenset(by_kind[EXTERNAL_PERSON_ID]),
        numbers=frozenset(by_kind[MDN]),
    )


def tombstone(company_key: str, identity: Identity) -> UUID:
    """Return the hash an erased id or number is remembered by.

    Another one than the uid of a person made from the same id, so that nothing links the two.
    """
    return short_hash("\x00".join(("erased", company_key, *identity)).encode())


def _forms(number: str) -> set[str]:
    forms = {number}
    if number.startswith("+"):
        forms.add(number[1:])
        try:
            national = str(phonenumbers.parse(number, None).national_number)
        except phonenumbers.NumberParseException:
            return forms
        if len(national) >= _LEAST_DIGITS:
            forms.add(national)
    return forms
