"""Read from the database what is here of one person, and what the CRM wants of them.

All methods raise what asyncpg raises.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

import asyncpg

from runtime.postgres import Connection, Pool, statement
from schemas.facts import PersonIdentity, Profile
from workers.mirror.identity import aliases_of, crm_record_uid
from workers.person_sync.rows import crm_record, json_object
from workers.reconcile.crm import HeldRecord
from workers.reconcile.here import HeldProfile, HeldStay, Here


class MirrorReader:
    """What the database has of one company's persons."""

    def __init__(self, pool: Pool, company_key: str) -> None:
        self._pool = pool
        self._company_key = company_key

    async def load(self, *identities: PersonIdentity | None) -> Here:
        """Return the person whom the first of the identities that is known means, as of one moment."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            for identity in identities:
                uid = await self._find(connection, identity) if identity else None
                if uid is not None:
                    return await self._load(connection, uid)
        return Here()

    async def records_of(self, profile: Profile, external_person_ids: Iterable[str | None]) -> list[HeldRecord]:
        """Return the records of the CRM that may be about a person, with what the outbox says of them."""
        wanted = {profile.external_person_id, *external_person_ids} - {None}
        by_number = profile.mdn_e164 if profile.external_person_id is None else None
        return await self._records(wanted, by_number)

    async def record(self, external_person_id: str) -> list[HeldRecord]:
        """Return the record of the CRM with that external id, if there is one."""
        return await self._records({external_person_id}, None)

    async def _find(self, connection: Connection, identity: PersonIdentity) -> UUID | None:
        aliases = aliases_of(identity)
        rows = await connection.fetch(
            statement("find_identities"), self._company_key, [kind for kind, _ in aliases], [id_ for _, id_ in aliases]
        )
        return rows[0]["person_uid"] if rows else None

    async def _load(self, connection: Connection, uid: UUID) -> Here:
        person = await connection.fetchrow(statement("reconcile_load_person"), self._company_key, uid)
        if person is None:
            return Here()
        stays = await connection.fetch(statement("reconcile_load_stays"), self._company_key, uid)
        return Here(
            person_uid=uid,
            person_id=person["person_id"],
            person_key=person["person_key"],
            external_person_id=person["external_person_id"],
            profile=_profile(person) if person["profile_at"] is not None else None,
            stays=tuple(HeldStay(**stay) for stay in stays),
        )

    async def _records(self, external_person_ids: Collection[str | None], mdn_e164: str | None) -> list[HeldRecord]:
        if not external_person_ids and mdn_e164 is None:
            return []
        rows = await self._pool.fetch(
            statement("reconcile_load_records"), self._company_key, list(external_person_ids), mdn_e164
        )
        uids = {crm_record_uid(self._company_key, row["record_id"]): row for row in rows}
        if not uids:
            return []
        syncs = await self._pool.fetch(statement("reconcile_sync_statuses"), self._company_key, list(uids))
        statuses = {sync["person_uid"]: sync["status"] for sync in syncs}
        return [HeldRecord(crm_record(row), statuses.get(uid)) for uid, row in uids.items()]


def _profile(row: asyncpg.Record) -> HeldProfile:
    return HeldProfile(
        version=(row["profile_at"], row["profile_event_date"], row["profile_digest"]),
        external_person_id=row["external_person_id"],
        mdn=row["mdn"],
        mdn_e164=row["mdn_e164"],
        carrier_code=row["carrier_code"],
        timezone=row["timezone"],
        timezone_source=row["timezone_source"],
        custom_fields=json_object(row["custom_fields"]),
        created_at=row["vibes_created_at"],
    )
