"""Repair what can be repaired, in one transaction a person."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random

from runtime.companies import Company
from runtime.postgres import Connection, Pool
from schemas.facts import BEGINNING, Fact, PersonIdentity, Profile, Stay
from workers.erasure.subject import Subject, subject_of_profile
from workers.erasure.tombstones import find_erased
from workers.mirror import Mirror, write_mirror
from workers.reconcile.drift import Drift
from workers.sync_requests import request_writes

_again_after_deadlock = retry(
    retry=retry_if_exception_type(asyncpg.TransactionRollbackError),
    stop=stop_after_attempt(5),
    wait=wait_random(0, 0.1),
    reraise=True,
)


class Repairer:
    """Repairs one company's persons; with `dry_run` it only tells what it would repair."""

    def __init__(self, pool: Pool, company: Company, *, dry_run: bool) -> None:
        self._pool = pool
        self._company = company
        self._dry_run = dry_run

    async def repair(self, drifts: Sequence[Drift], profile: Profile | None) -> list[Drift]:
        """Tell the mirror what it lacks, and request the writes; return the differences that are any.

        What would bring an erased person back is none. The mirror's own rules decide what wins, so nothing newer is
        overwritten. `profile`: as Vibes answered it, None when it knows nobody. Raises what asyncpg raises.
        """
        if not any(drift.repairable for drift in drifts):
            return list(drifts)
        async with self._pool.acquire() as connection:
            if self._dry_run:
                return await self._standing(connection, drifts, profile)
            return await self._write(connection, drifts, profile)

    @_again_after_deadlock
    async def _write(self, connection: Connection, drifts: Sequence[Drift], profile: Profile | None) -> list[Drift]:
        async def work(mirror: Mirror) -> list[Drift]:
            standing = await self._standing(mirror.connection, drifts, profile)
            facts = [fact for drift in standing for fact in drift.facts]
            await mirror.store(self._company.company_key, facts)
            records = [drift.record for drift in standing if drift.record is not None]
            # What the record wants is not new, so one that is a conflict stays it; and it waits for live changes.
            await request_writes(mirror.connection, self._company, records, bulk=True, changed=False)
            return standing

        return await write_mirror(connection, [self._company.company_key], work)

    async def _standing(self, connection: Connection, drifts: Sequence[Drift], profile: Profile | None) -> list[Drift]:
        """Leave out what is about an erased person and not newer than the erasure."""
        facts = [fact for drift in drifts for fact in drift.facts]
        subjects = [_subject(fact, profile) for fact in facts]
        erased = await find_erased(connection, self._company.company_key, subjects) if subjects else set()
        dropped = {id(facts[place]) for place in erased}
        return [drift for drift in drifts if not any(id(fact) in dropped for fact in drift.facts)]


def _subject(fact: Fact, profile: Profile | None) -> Subject:
    """Return whom a fact is about: with everything Vibes says they are known by, and as of what the fact tells."""
    if isinstance(fact, Profile):
        return subject_of_profile(fact)
    person = subject_of_profile(profile) if profile else _named(fact.person)
    return replace(person, at=_moment(fact))


def _moment(fact: Fact) -> datetime | None:
    if isinstance(fact, Stay):
        if fact.opt_in_date != BEGINNING:
            return fact.opt_in_date
        return fact.opt_out.date if fact.opt_out else None
    return None


def _named(person: PersonIdentity) -> Subject:
    told = (("person_id", person.person_id), ("person_key", person.person_key))
    return Subject(vibes=tuple((kind, value) for kind, value in told if value), others=(), at=None)
