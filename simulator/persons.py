"""The persons of one MobileDB, and Vibes' rules for writing them. Pure: the caller gives the time."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from simulator import mdn as numbers
from simulator.errors import ConflictError, UnknownRecordError, UnprocessableError
from simulator.model import JsonObject, Person, PersonPatch
from simulator.times import MILLISECOND, floor_to


@dataclass(frozen=True, slots=True)
class Write:
    """What a write did: to whom, and whether it made the record or changed anything in it."""

    person: Person
    created: bool
    changed: bool


class Persons:
    """Person records, found by any of their identifiers.

    person_key, person_id and external_person_id are unique. A number is not: the same MDN with another
    carrier_code is another person, because numbers are ported and recycled.
    """

    def __init__(self, company_key: str, custom_fields: Iterable[str]) -> None:
        self._company_key = company_key
        self._custom_fields = frozenset(custom_fields)
        self._by_id: dict[str, Person] = {}
        self._by_key: dict[str, Person] = {}
        self._by_external: dict[str, Person] = {}
        self._by_mdn: dict[str, list[Person]] = {}
        self._last_id = {"api": 900_000_000, "scenario": 10_000_000}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Person]:
        return iter(self._by_id.values())

    def find(self, key_or_id: str) -> Person:
        """Return the person with this person_key or, in the same place as older clients do, this person_id.

        Raises:
            UnknownRecordError: there is none.

        """
        person = self._by_key.get(key_or_id) or self._by_id.get(key_or_id)
        if person is None:
            raise UnknownRecordError("No person has this person_key")
        return person

    def find_external(self, external_person_id: str) -> Person:
        """Return the person with this external_person_id.

        Raises:
            UnknownRecordError: there is none.

        """
        person = self._by_external.get(external_person_id)
        if person is None:
            raise UnknownRecordError("No person has this external_person_id")
        return person

    def holders(self, mdn: str) -> list[Person]:
        """Everybody with this number (E.164), the present owner last."""
        return list(self._by_mdn.get(mdn, ()))

    def match(self, patch: PersonPatch) -> Person | None:
        """Return the person a write without a key is about, by Vibes' rules of association.

        Raises:
            ConflictError: the number and the external id point at different people.

        """
        by_phone = self._match_phone(patch)
        external = patch.get("external_person_id")
        by_external = self._by_external.get(external) if external else None
        if by_phone and by_external and by_phone is not by_external:
            raise ConflictError("The MDN and the external_person_id belong to different persons")
        if by_phone and external and by_phone.external_person_id not in (None, external):
            raise ConflictError("The MDN belongs to a person with another external_person_id")
        return by_phone or by_external

    def post(self, patch: PersonPatch, now: datetime) -> Write:
        """Add a person, or merge into the one that matches.

        Raises:
            ConflictError: the identifiers belong to different people, or an MDN would change.
            UnprocessableError: no identifier, an unknown custom field, or a number no carrier serves.

        """
        if not (patch.get("mdn") or patch.get("external_person_id")):
            raise UnprocessableError("A person needs a mobile_phone.mdn or an external_person_id")
        person = self.match(patch)
        if person is None:
            return Write(self.create(patch, now), created=True, changed=True)
        return Write(person, created=False, changed=self.change(person, patch, now))

    def put_external(self, external_person_id: str, patch: PersonPatch, now: datetime) -> Write:
        """Change the person with this external id, else give the id to the owner of the number, else add a person.

        Raises:
            ConflictError: as `post`.
            UnprocessableError: as `post`, or the body names another external id than the path of a new person.

        """
        person = self._by_external.get(external_person_id)
        if person is not None:
            return Write(person, created=False, changed=self.change(person, patch, now))
        if patch.get("external_person_id", external_person_id) != external_person_id:
            raise UnprocessableError("The external_person_id of the body is not the one of the path")
        return self.post({**patch, "external_person_id": external_person_id}, now)

    def is_free(self, patch: PersonPatch) -> bool:
        """Whether nobody has any of these identifiers."""
        return not self._by_mdn.get(patch.get("mdn") or "") and (
            patch.get("external_person_id") not in self._by_external
        )

    def create(self, patch: PersonPatch, now: datetime, series: Literal["api", "scenario"] = "api") -> Person:
        """Add a person, with the next id of a series: what the API adds does not shift a scenario's ids.

        Raises:
            ConflictError: an identifier is taken.
            UnprocessableError: an unknown custom field, or a number no carrier serves.

        """
        self._last_id[series] += 1
        person_id = str(self._last_id[series])
        created_at = floor_to(now, MILLISECOND)
        person = Person(person_id, _person_key(self._company_key, person_id), created_at, created_at)
        self._check(person, patch)
        self._by_id[person_id] = self._by_key[person.person_key] = person
        self._apply(person, patch)
        if person.mdn and not person.timezone:
            person.timezone = numbers.timezone_of(person.mdn)
            person.timezone_source = "area_code" if person.timezone else None
        return person

    def change(self, person: Person, patch: PersonPatch, now: datetime) -> bool:
        """Patch a person, as a whole or not at all; False if it was so already.

        `updated_at` strictly increases with every change, by a millisecond at least.

        Raises:
            ConflictError: an MDN would change, or an identifier is taken.
            UnprocessableError: an unknown custom field, or a number no carrier serves.

        """
        self._check(person, patch)
        if not self._apply(person, patch):
            return False
        person.updated_at = max(floor_to(now, MILLISECOND), person.updated_at + MILLISECOND)
        return True

    def _match_phone(self, patch: PersonPatch) -> Person | None:
        mdn, carrier = patch.get("mdn"), patch.get("carrier_code")
        holders = self._by_mdn.get(mdn, []) if mdn else []
        if carrier is None:
            return holders[-1] if holders else None
        return next((holder for holder in holders if holder.carrier_code == carrier), None)

    def _check(self, person: Person, patch: PersonPatch) -> None:
        unknown = sorted(set(patch.get("custom_fields", ())) - self._custom_fields)
        if unknown:
            raise UnprocessableError(f"Custom fields unknown to the platform: {', '.join(unknown)}")
        external = patch.get("external_person_id")
        if external and self._by_external.get(external) not in (None, person):
            raise ConflictError("The external_person_id belongs to another person")
        mdn = patch.get("mdn")
        if mdn and person.mdn not in (None, mdn):
            raise ConflictError("The MDN of a person cannot be changed")
        if mdn and not numbers.has_carrier(mdn):
            raise UnprocessableError("The MDN is on no provisioned carrier")
        phone = _phone_after(person, patch)
        if phone[0] and phone != (person.mdn, person.carrier_code):
            others = (holder for holder in self._by_mdn.get(phone[0], ()) if holder is not person)
            if any(holder.carrier_code == phone[1] for holder in others):
                raise ConflictError("The MDN belongs to another person")

    def _apply(self, person: Person, patch: PersonPatch) -> bool:
        before = (person.external_person_id, person.mdn, person.carrier_code, person.timezone)
        self._set_external(person, patch.get("external_person_id", person.external_person_id))
        self._set_phone(person, *_phone_after(person, patch))
        person.timezone = patch.get("timezone", person.timezone)
        if person.timezone != before[3]:
            person.timezone_source = None
        after = (person.external_person_id, person.mdn, person.carrier_code, person.timezone)
        changed = _changed_fields(person.custom_fields, patch.get("custom_fields", {}))
        person.custom_fields = {**person.custom_fields, **changed}
        return after != before or bool(changed)

    def _set_external(self, person: Person, external: str | None) -> None:
        if person.external_person_id:
            del self._by_external[person.external_person_id]
        if external:
            self._by_external[external] = person
            person.had_external = True
        person.external_person_id = external

    def _set_phone(self, person: Person, mdn: str | None, carrier: str | None) -> None:
        if person.mdn != mdn:
            if person.mdn:
                self._by_mdn[person.mdn].remove(person)
            if mdn:
                self._by_mdn.setdefault(mdn, []).append(person)
                person.had_phone = True
        person.mdn, person.carrier_code = mdn, carrier


def _phone_after(person: Person, patch: PersonPatch) -> tuple[str | None, str | None]:
    """Return the phone a person will have; a number set without a carrier has its carrier looked up."""
    mdn = patch.get("mdn", person.mdn)
    if mdn is None:
        return None, None
    carrier = patch.get("carrier_code", person.carrier_code)
    if carrier is None and mdn != person.mdn:
        carrier = numbers.carrier_of(mdn)
    return mdn, carrier


def _changed_fields(present: JsonObject, wanted: JsonObject) -> JsonObject:
    """Return what of `wanted` differs; a removed field stays as a null, as Vibes' own bodies show empty fields."""
    return {name: value for name, value in wanted.items() if present.get(name) != value}


def _person_key(company_key: str, person_id: str) -> str:
    """Return the canonical key. One in four looks like Vibes' sample keys, which are not UUIDs."""
    digits = hashlib.sha256(f"{company_key}/{person_id}".encode()).hexdigest()
    if digits[-1] in "0123":
        return f"{digits[:7]}-{digits[7:11]}-{digits[11:13]}z{digits[13]}-{digits[14:18]}-{digits[18:31]}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-a{digits[15:18]}-{digits[18:30]}"
