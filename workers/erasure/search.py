"""Who it is that is to be erased: in the mirror, in the CRM's records, and at Vibes.

What leads from one to the other are ids only one person has: Vibes' own, the external id of the moment, and what a
record of the CRM is bound to. A number does not: several persons may have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from runtime.postgres import Connection, statement
from schemas.crm_change import mdn_e164
from schemas.values import normalise_mdn
from vibes_api import NotFound, Person, VibesClient
from workers.erasure.identifiers import EXTERNAL_PERSON_ID, MDN, PERSON_ID, PERSON_KEY, Identifiers, Identity, of_kinds


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look: the database and, unless that is not wanted, Vibes."""

    connection: Connection
    company_key: str
    default_country: str | None
    client: VibesClient | None


async def find_people(sources: Sources, asked: Identity) -> list[Identifiers]:
    """Return everybody the id or number may mean, each with all they are known by.

    Nobody known: what was asked for alone, because the log may tell of people the mirror does not have. Raises
    VibesError, and what asyncpg raises.
    """
    wanted = of_kinds([asked])
    if asked[0] == EXTERNAL_PERSON_ID:
        wanted |= Identifiers(crm_records=frozenset([asked[1]]))
    if asked[0] == MDN and (e164 := mdn_e164(asked[1], sources.default_country)) is not None:
        wanted |= of_kinds([(MDN, e164)])
    found: list[Identifiers] = []
    for seed in await _seeds(sources, wanted):
        person = await expand(sources.connection, sources.company_key, seed)
        found = _joined(found, person)
    if not found:
        return [await expand(sources.connection, sources.company_key, wanted)]
    if len(found) == 1:
        return [await expand(sources.connection, sources.company_key, found[0] | wanted)]
    return found


async def expand(connection: Connection, company_key: str, person: Identifiers) -> Identifiers:
    """Return a person with everything the mirror and the CRM's records tell of them. Raises what asyncpg raises."""
    uids = person.person_uids | await _uids(connection, company_key, Identifiers(person_ids=person.person_ids))
    uids |= await _uids(connection, company_key, Identifiers(person_keys=person.person_keys))
    person |= Identifiers(person_uids=frozenset(uids))
    rows = await connection.fetch(statement("erasure_describe_persons"), company_key, list(uids))
    person |= of_kinds((row["kind"], row["value"]) for row in rows)
    records = await connection.fetch(
        statement("erasure_find_crm_records"),
        company_key,
        list(uids),
        list(person.person_ids),
        list(person.person_keys),
        list(person.crm_records),
    )
    for row in records:
        person |= of_kinds((MDN, number) for number in (row["mdn"], row["mdn_e164"]) if number)
        person |= Identifiers(crm_records=frozenset([row["external_person_id"]]))
    return person


async def uncontested(connection: Connection, company_key: str, person: Identifiers) -> Identifiers:
    """Return the person without the numbers and external ids that somebody else has, too: those tell nobody apart."""
    rows = await connection.fetch(
        statement("erasure_find_contested"),
        company_key,
        list(person.person_uids),
        list(person.crm_records),
        list(person.external_person_ids),
        list(person.numbers),
    )
    contested = of_kinds((row["kind"], row["value"]) for row in rows)
    forms = contested.number_forms
    return Identifiers(
        person.person_uids,
        person.person_ids,
        person.person_keys,
        person.external_person_ids - contested.external_person_ids,
        frozenset(number for number in person.numbers if number not in forms),
        person.crm_records,
    )


def of_vibes(person: Person, default_country: str | None) -> Identifiers:
    """Return what Vibes knows a person by; the record of the CRM with their external id of there is theirs."""
    e164 = normalise_mdn(person.mdn, default_country) if person.mdn else None
    told = (
        (PERSON_ID, person.person_id),
        (PERSON_KEY, person.person_key),
        (EXTERNAL_PERSON_ID, person.external_person_id),
        (MDN, person.mdn),
        (MDN, e164),
    )
    known = of_kinds((kind, value) for kind, value in told if value)
    return known | Identifiers(crm_records=known.external_person_ids)


async def _seeds(sources: Sources, wanted: Identifiers) -> list[Identifiers]:
    """Return, for everybody who may be meant, an id that only they have."""
    connection, company_key = sources.connection, sources.company_key
    seeds = [Identifiers(person_uids=frozenset([uid])) for uid in await _uids(connection, company_key, wanted)]
    records = await connection.fetch(
        statement("erasure_search_crm_records"), company_key, *(list(each) for each in _columns(wanted))
    )
    for row in records:
        external = row["external_person_id"]
        bound = of_kinds((kind, row[kind]) for kind in (PERSON_ID, PERSON_KEY) if row[kind])
        record = Identifiers(crm_records=frozenset([external]))
        if bound:
            seeds.append(bound | record)
            continue
        holders = await _uids(connection, company_key, Identifiers(external_person_ids=frozenset([external])))
        if len(holders) == 1:
            seeds.append(Identifiers(person_uids=holders) | record)
        else:
            seeds += [Identifiers(person_uids=frozenset([uid])) for uid in holders]
            seeds.append(record | Identifiers(external_person_ids=frozenset([external])))
    if sources.client is not None:
        seeds += [of_vibes(person, sources.default_country) for person in await _ask_vibes(sources.client, wanted)]
    return seeds


async def _ask_vibes(client: VibesClient, wanted: Identifiers) -> Sequence[Person]:
    found: list[Person] = []
    for number in sorted(number for number in wanted.numbers if number.startswith("+")):
        found += await client.persons.find_by_mdn(number)
    for asked, ids in (
        (client.persons.get, wanted.person_keys | wanted.person_ids),
        (client.persons.get_by_external_id, wanted.external_person_ids),
    ):
        for one in sorted(ids):
            try:
                found.append(await asked(one))
            except NotFound:
                continue
    return found


async def _uids(connection: Connection, company_key: str, wanted: Identifiers) -> frozenset[UUID]:
    rows = await connection.fetch(
        statement("erasure_find_persons"), company_key, *(list(each) for each in _columns(wanted))
    )
    return frozenset(row["person_uid"] for row in rows)


def _columns(wanted: Identifiers) -> tuple[frozenset[str], ...]:
    return (wanted.person_ids, wanted.person_keys, wanted.external_person_ids | wanted.crm_records, wanted.numbers)


def _joined(found: list[Identifiers], person: Identifiers) -> list[Identifiers]:
    """Return the people found with one more; those who share an id that only one person has are one."""
    apart = []
    for other in found:
        if _is_same(other, person):
            person |= other
        else:
            apart.append(other)
    return [*apart, person]


def _is_same(one: Identifiers, other: Identifiers) -> bool:
    if one.person_uids & other.person_uids or one.person_ids & other.person_ids or one.person_keys & other.person_keys:
        return True
    differ = (one.person_ids and other.person_ids) or (one.person_keys and other.person_keys)
    return bool(one.crm_records & other.crm_records) and not differ
