"""Who is compared, in which order. All functions raise what asyncpg raises."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from runtime.postgres import Pool, statement
from schemas.facts import PersonIdentity
from workers.mirror.identity import aliases_of, crm_record_uid, uid_of

_PAGE = 500
_FIRST_UID = UUID(int=0)
_FIRST_RECORD = -(2**63)


@dataclass(frozen=True, slots=True)
class Options:
    """Which persons a run is about, and what it may do."""

    list_id: str | None = None
    """Only persons with a stay on this list."""
    subscribed_only: bool = False
    """Only persons who are subscribed (to that list)."""
    not_seen_since_seconds: float | None = None
    """Not persons whose profile was told in so many seconds before the run began."""
    crm: bool = False
    """Records of the CRM that are bound to nobody as well."""
    close_gone: bool = False
    """End here the stays of persons Vibes does not know."""
    dry_run: bool = False
    """Report only."""

    def to_json(self) -> dict[str, Any]:
        """Return the options as they are kept with the run."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Cursor:
    """All targets up to here are dealt with: first persons, then records of the CRM."""

    after_uid: UUID | None = None
    after_record: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One person to compare, by an id of Vibes' or by the customer's."""

    subject_uid: UUID
    """persons.person_uid, or the uid that stands for the record of the CRM."""
    asked: PersonIdentity | None = None
    external_person_id: str | None = field(repr=False, default=None)
    cursor: Cursor = Cursor()
    """Where the run is when this target is dealt with."""


async def with_person_key(pool: Pool, company_key: str, person_key: str) -> Target:
    """Return the person with a key of Vibes', known here or not."""
    identity = PersonIdentity(None, person_key)
    ((kind, value),) = aliases_of(identity)
    rows = await pool.fetch(statement("find_identities"), company_key, [kind], [value])
    return Target(rows[0]["person_uid"] if rows else uid_of(company_key, (kind, value)), identity)


async def with_external_id(pool: Pool, company_key: str, external_person_id: str) -> list[Target]:
    """Return those who have an external id here, by Vibes' own ids; if nobody has, whoever has it at Vibes."""
    rows = await pool.fetch(statement("reconcile_find_persons"), company_key, external_person_id)
    return [_of_row(row) for row in rows] or [by_external_id(company_key, external_person_id)]


def by_external_id(company_key: str, external_person_id: str) -> Target:
    """Return the person who has an external id at Vibes, known here or not."""
    return Target(crm_record_uid(company_key, external_person_id), None, external_person_id)


class Targets:
    """The persons one run is about."""

    def __init__(self, pool: Pool, company_key: str, options: Options, started_at: datetime) -> None:
        self._pool = pool
        self._company_key = company_key
        self._options = options
        told_since = options.not_seen_since_seconds
        self._filters = (
            options.list_id,
            options.subscribed_only,
            None if told_since is None else started_at - timedelta(seconds=told_since),
        )

    async def after(self, cursor: Cursor) -> AsyncGenerator[Target, None]:
        """Yield the targets after the cursor."""
        if cursor.after_record is None:
            async for target in self._persons(cursor):
                cursor = target.cursor
                yield target
        if self._options.crm:
            async for target in self._records(cursor):
                yield target

    async def count(self, cursor: Cursor) -> int:
        """Return how many targets are after the cursor now."""
        number = 0
        if cursor.after_record is None:
            number += await self._count("reconcile_list_persons", self._person_arguments(cursor, None))
        if self._options.crm:
            number += await self._count("reconcile_list_records", self._record_arguments(cursor, None))
        return number

    async def _persons(self, cursor: Cursor) -> AsyncIterator[Target]:
        while rows := await self._pool.fetch(
            statement("reconcile_list_persons"), *self._person_arguments(cursor, _PAGE)
        ):
            for row in rows:
                cursor = Cursor(row["person_uid"])
                yield replace(_of_row(row), cursor=cursor)

    async def _records(self, cursor: Cursor) -> AsyncIterator[Target]:
        while rows := await self._pool.fetch(
            statement("reconcile_list_records"), *self._record_arguments(cursor, _PAGE)
        ):
            for row in rows:
                cursor = replace(cursor, after_record=row["position"])
                target = by_external_id(self._company_key, row["external_person_id"])
                yield replace(target, cursor=cursor)

    def _person_arguments(self, cursor: Cursor, limit: int | None) -> Sequence[object]:
        return (self._company_key, cursor.after_uid or _FIRST_UID, *self._filters, limit)

    def _record_arguments(self, cursor: Cursor, limit: int | None) -> Sequence[object]:
        after = _FIRST_RECORD if cursor.after_record is None else cursor.after_record
        return (self._company_key, after, limit)

    async def _count(self, name: str, arguments: Sequence[object]) -> int:
        query = f"SELECT count(*) FROM ({statement(name)}) AS target"  # noqa: S608 - a statement of ours
        return int(await self._pool.fetchval(query, *arguments))


def _of_row(row: asyncpg.Record) -> Target:
    # Vibes takes a person_key in a path, and still a person_id.
    key = row["person_key"]
    return Target(row["person_uid"], PersonIdentity(None if key else row["person_id"], key))
