"""Which of Vibes' ids mean the same person. Pure.

Ids that came together in one event are linked for good; a person is a set of linked ids. The person's uid is derived
from the least of its ids, so it is the same in whatever order the links were learnt. When a link joins two persons,
or gives one a lesser id, the person's rows have to move to another uid: a merge, which is rare, because callbacks name
a person by person_id nearly always and `person_id` is less than `person_key`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from schemas.callbacks.json_body import short_hash
from schemas.facts import PersonIdentity

Alias = tuple[str, str]
"""Kind of the id (`person_id`, `person_key`) and the id."""


class MergeNeededError(Exception):
    """Persons have to be merged, which needs the company's identities for oneself."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Which person each identity means, and what has to change in person_identities for it."""

    person_uids: dict[PersonIdentity, UUID]
    new_aliases: dict[Alias, UUID]
    moves: dict[UUID, UUID]
    """Persons to merge: from which uid to which."""


def aliases_of(identity: PersonIdentity) -> list[Alias]:
    """Return the ids of an identity, least first. Raises ValueError when it has none."""
    person_id, person_key = identity
    if person_id:
        return [("person_id", person_id), ("person_key", person_key)] if person_key else [("person_id", person_id)]
    if not person_key:
        raise ValueError("a person needs a person_id or a person_key")
    return [("person_key", person_key)]


def uid_of(company_key: str, alias: Alias) -> UUID:
    """Return the uid of a person whose least id is `alias`."""
    return short_hash("\x00".join((company_key, *alias)).encode())


def crm_record_uid(company_key: str, external_person_id: str) -> UUID:
    """Return the uid that stands for a record of the CRM in the outbox and in its lock.

    An external id is none of the ids that make a person: Vibes lets it be taken from one person and given to another.
    """
    return uid_of(company_key, ("external_person_id", external_person_id))


def resolve(company_key: str, identities: Iterable[PersonIdentity], known: Mapping[Alias, UUID]) -> Resolution:
    """Say which person each identity means.

    `known` are the ids already in person_identities, at least those of `identities`. Raises MergeNeededError when that
    is not enough to tell, because persons known by other ids may be concerned: then call `resolve_completely`.
    """
    identities = list(identities)
    person_uids: dict[Alias, UUID] = {}
    for group in _link(map(aliases_of, identities)):
        here = [alias for alias in group if alias in known]
        if here:
            uid = known[here[0]]
            if any(known[alias] != uid for alias in here[1:]) or (len(here) < len(group) and min(here) > min(group)):
                raise MergeNeededError
        else:
            uid = uid_of(company_key, min(group))
        for alias in group:
            person_uids[alias] = uid
    return _resolution(identities, person_uids, known)


def resolve_completely(
    company_key: str, identities: Iterable[PersonIdentity], known: Mapping[Alias, UUID]
) -> Resolution:
    """Say which person each identity means, and which persons have to be merged for it.

    `known` must hold every id of every person concerned.
    """
    identities = list(identities)
    by_uid: dict[UUID, list[Alias]] = {}
    for alias, uid in known.items():
        by_uid.setdefault(uid, []).append(alias)
    person_uids = {
        alias: uid_of(company_key, min(group))
        for group in _link([*map(aliases_of, identities), *by_uid.values()])
        for alias in group
    }
    return _resolution(identities, person_uids, known)


def _resolution(
    identities: list[PersonIdentity], person_uids: dict[Alias, UUID], known: Mapping[Alias, UUID]
) -> Resolution:
    return Resolution(
        person_uids={identity: person_uids[aliases_of(identity)[0]] for identity in identities},
        new_aliases={alias: uid for alias, uid in person_uids.items() if alias not in known},
        moves={known[alias]: uid for alias, uid in person_uids.items() if alias in known and known[alias] != uid},
    )


def _link(links: Iterable[list[Alias]]) -> list[list[Alias]]:
    """Return the groups of ids that the links connect (union-find)."""
    parent: dict[Alias, Alias] = {}

    def root(alias: Alias) -> Alias:
        while parent[alias] != alias:
            parent[alias] = parent[parent[alias]]
            alias = parent[alias]
        return alias

    for link in links:
        first = link[0]
        if first not in parent:
            parent[first] = first
        for alias in link[1:]:
            if alias not in parent:
                parent[alias] = first
            else:
                parent[root(alias)] = root(first)
    groups: dict[Alias, list[Alias]] = {}
    for alias in parent:
        groups.setdefault(root(alias), []).append(alias)
    return list(groups.values())
