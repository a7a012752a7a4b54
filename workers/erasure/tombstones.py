"""What comes about an erased person and is not newer than the erasure is not applied."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from runtime.postgres import Connection, statement
from workers.erasure.identifiers import EXTERNAL_PERSON_ID, Identity, tombstone
from workers.erasure.subject import Subject


async def find_erased(connection: Connection, company_key: str, subjects: Sequence[Subject]) -> set[int]:
    """Return which of the subjects, by their places, are about an erased person and not newer than the erasure.

    One query; a second one only where nothing but a number or an external id points to somebody erased: they may be a
    living person's, too. Inside a transaction that shares the company's identities nobody is erased meanwhile. Raises
    what asyncpg raises.
    """
    erased_at = await _erased_at(
        connection, company_key, {identity for each in subjects for identity in (*each.vibes, *each.others)}
    )
    if not erased_at:
        return set()
    doubtful = {
        identity
        for each in subjects
        if not is_old(each, each.vibes, erased_at) and is_old(each, each.others, erased_at)
        for identity in each.vibes
    }
    living = await _living(connection, company_key, sorted(doubtful)) if doubtful else set()
    return {place for place, each in enumerate(subjects) if is_erased(each, erased_at, living)}


async def erased_since(
    connection: Connection, company_key: str, external_person_ids: Iterable[str]
) -> Mapping[str, datetime]:
    """Return up to when some external ids are erased: a change of the CRM that is not newer is not to be applied.

    The caller's transaction has to share the company's identities (statement `lock_identities`) before it asks.
    """
    wanted = {external: (EXTERNAL_PERSON_ID, external) for external in external_person_ids}
    erased_at = await _erased_at(connection, company_key, wanted.values())
    return {external: erased_at[identity] for external, identity in wanted.items() if identity in erased_at}


def is_erased(subject: Subject, erased_at: Mapping[Identity, datetime], living: Collection[Identity]) -> bool:
    """Tell whether the subject is an erased person, of before the erasure.

    An id of Vibes decides. A number or an external id does where the event has no id of a person who is here: Vibes
    gives a number to one person after the other. What tells no time is taken to be old: in doubt nobody comes back.
    """
    if is_old(subject, subject.vibes, erased_at):
        return True
    return is_old(subject, subject.others, erased_at) and not any(identity in living for identity in subject.vibes)


def is_old(subject: Subject, identities: Iterable[Identity], erased_at: Mapping[Identity, datetime]) -> bool:
    """Tell whether one of the identities was erased, and the subject is not of a later time."""
    return any(
        (moment := erased_at.get(identity)) is not None and (subject.at is None or subject.at <= moment)
        for identity in identities
    )


async def _erased_at(
    connection: Connection, company_key: str, identities: Collection[Identity]
) -> dict[Identity, datetime]:
    by_hash = {tombstone(company_key, identity): identity for identity in identities}
    rows = await connection.fetch(statement("erasure_find_tombstones"), company_key, list(by_hash))
    return {by_hash[row["identity"]]: row["erased_at"] for row in rows}


async def _living(connection: Connection, company_key: str, identities: Sequence[Identity]) -> set[Identity]:
    rows = await connection.fetch(
        statement("find_identities"), company_key, [kind for kind, _ in identities], [value for _, value in identities]
    )
    return {(row["kind"], row["value"]) for row in rows}
