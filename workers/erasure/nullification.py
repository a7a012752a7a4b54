"""Erase a person at Vibes, as Vibes documents it: read them for the names of their custom fields, remove every field.

Vibes has no route to delete a person (docs/vibes.md). What its documents leave open is in docs/erasure.md.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from schemas.errors import ServiceError
from schemas.values import read_timestamp
from vibes_api import NotFound, Person, PersonPatch, VibesClient
from workers.erasure.identifiers import Identifiers
from workers.erasure.search import of_vibes

NULLIFIED = "nullified"
NOT_FOUND = "not_found"
LEFT_ALONE = "left_alone"

Keep = Callable[[Identifiers], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class AtVibes:
    """What came of it at Vibes."""

    outcome: str
    updated_at: datetime | None = None
    """When the person was changed last there, by Vibes' clock."""


class StillThereError(ServiceError):
    """Vibes took the request and holds data of the person all the same."""


async def nullify(client: VibesClient, person: Identifiers, default_country: str | None, keep: Keep) -> AtVibes:
    """Remove everything Vibes holds of a person, and read them again to see that it is gone.

    What Vibes knows them by is handed to `keep` before it is removed there, for it cannot be asked for afterwards. Call
    it under the person's locks. Raises VibesError, StillThereError.
    """
    present = await _present(client, person)
    if not present:
        return AtVibes(NOT_FOUND)
    for each in present.values():
        await keep(of_vibes(each, default_country))
    latest: datetime | None = None
    for address, each in present.items():
        await client.persons.update(address, PersonPatch.nullification(each.custom_fields))
        updated_at = await _check(client, address)
        latest = max((moment for moment in (latest, updated_at) if moment is not None), default=None)
    return AtVibes(NULLIFIED, latest)


async def _present(client: VibesClient, person: Identifiers) -> dict[str, Person]:
    """Return whom Vibes has, by what stands for them in a path: a person_key, or a person_id where none is told."""
    asked: list[tuple[Callable[[str], Awaitable[Person]], str]]
    asked = [(client.persons.get, one) for one in sorted(person.person_keys | person.person_ids)]
    if not person.has_vibes_id:
        asked += [(client.persons.get_by_external_id, one) for one in sorted(person.crm_records)]
    present: dict[str, Person] = {}
    for read, named in asked:
        try:
            one = await read(named)
        except NotFound:
            continue
        address = one.person_key or one.person_id
        if address is not None:
            present[address] = one
    return present


async def _check(client: VibesClient, address: str) -> datetime | None:
    try:
        person = await client.persons.get(address)
    except NotFound:
        return None
    left = {"external_person_id": person.external_person_id, "mdn": person.mdn, "carrier_code": person.carrier_code}
    names = [name for name, value in {**left, **person.custom_fields}.items() if value not in (None, "", [], {})]
    if names:
        raise StillThereError(f"Vibes answered that it removed everything, and still holds {', '.join(sorted(names))}")
    return read_timestamp(person.updated_at)
