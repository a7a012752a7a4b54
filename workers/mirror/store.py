"""Fold facts into the mirror's tables, inside a transaction of the caller's."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

from runtime.postgres import Connection, statement
from schemas.facts import Fact, PersonIdentity
from workers.mirror.fold import PersonState, StayKey, StayState, fold
from workers.mirror.identity import (
    Alias,
    MergeNeededError,
    Resolution,
    aliases_of,
    resolve,
    resolve_completely,
)

Result = TypeVar("Result")


async def write_mirror(
    connection: Connection, company_keys: Iterable[str], work: Callable[["Mirror"], Awaitable[Result]]
) -> Result:
    """Run `work(mirror)` in one transaction and return its result.

    Transactions share the identities of a company; only one that has to merge persons needs them for itself. That is
    rarely known before, so `work` may be run a second time, alone, after its first run was rolled back.
    """
    companies = sorted(set(company_keys))
    try:
        return await _write(connection, companies, work, alone=False)
    except MergeNeededError:
        return await _write(connection, companies, work, alone=True)


async def _write(
    connection: Connection, companies: list[str], work: Callable[["Mirror"], Awaitable[Result]], *, alone: bool
) -> Result:
    async with connection.transaction():
        await connection.execute(statement("lock_identities"), companies, alone)
        return await work(Mirror(connection, alone=alone))


class Mirror:
    """Persons and stays, within one transaction; made by `write_mirror`."""

    def __init__(self, connection: Connection, *, alone: bool) -> None:
        self.connection = connection
        self._alone = alone

    async def store(self, company_key: str, facts: Sequence[Fact]) -> dict[PersonIdentity, UUID]:
        """Fold the facts of one company into persons and subscriptions; return which person each identity means."""
        identities = dict.fromkeys(fact.person for fact in facts)
        if not identities:
            return {}
        resolution = await self._resolve(company_key, identities)
        state = fold(facts, resolution.person_uids)
        persons = [_person_row(uid, person) for uid, person in state.persons.items()]
        profiles = [_profile_row(uid, person) for uid, person in state.persons.items() if person.profile]
        stays = [_stay_row(key, stay) for key, stay in state.stays.items()]
        # From here on others may hold the rows, and have to wait for those written here. All transactions write in this
        # order, and in that of the keys. Persons come last: it is some of them that everybody talks about.
        await self._learn(company_key, identities, resolution)
        if resolution.moves:
            await self._merge(company_key, resolution.moves)
        if stays:
            await self._upsert("upsert_subscriptions", company_key, stays)
        await self._upsert("upsert_persons", company_key, persons)
        if profiles:
            await self._upsert("update_profiles", None, profiles)
        return resolution.person_uids

    async def _resolve(self, company_key: str, identities: Iterable[PersonIdentity]) -> Resolution:
        known = await self._find(company_key, identities)
        try:
            return resolve(company_key, identities, known)
        except MergeNeededError:
            if not self._alone:
                raise
            rows = await self.connection.fetch(statement("find_identities_of_persons"), list(set(known.values())))
            known = {(row["kind"], row["value"]): row["person_uid"] for row in rows}
            return resolve_completely(company_key, identities, known)

    async def _learn(self, company_key: str, identities: Iterable[PersonIdentity], resolution: Resolution) -> None:
        """Insert the new ids. Raises MergeNeededError when another transaction has come to another answer meanwhile."""
        new = sorted(resolution.new_aliases.items())
        if not new:
            return
        inserted = await self.connection.fetch(
            statement("insert_identities"),
            company_key,
            [kind for (kind, _), _ in new],
            [value for (_, value), _ in new],
            [uid for _, uid in new],
        )
        if len(inserted) < len(new):
            # Another transaction learnt some of them; nearly always it came to the same answer.
            theirs = resolve(company_key, identities, await self._find(company_key, identities))
            if theirs.new_aliases or theirs.person_uids != resolution.person_uids:
                raise MergeNeededError

    async def _find(self, company_key: str, identities: Iterable[PersonIdentity]) -> dict[Alias, UUID]:
        aliases = sorted(set(chain.from_iterable(map(aliases_of, identities))))
        rows = await self.connection.fetch(
            statement("find_identities"), company_key, [a[0] for a in aliases], [a[1] for a in aliases]
        )
        return {(kind, value): person_uid for kind, value, person_uid in rows}

    async def _merge(self, company_key: str, moves: dict[UUID, UUID]) -> None:
        """Take what is known of the persons out, and fold it in again under their new uids."""
        sources, targets = list(moves), list(moves.values())
        persons = await self.connection.fetch(statement("lift_persons"), sources)
        stays = await self.connection.fetch(statement("lift_subscriptions"), sources)
        await self.connection.execute(statement("move_identities"), sources, targets)
        await self.connection.execute(statement("move_person_syncs"), sources, targets)
        # One at a time: two of them may become the same person, and a statement folds into a row only once.
        for row in persons:
            moved = (moves[row["person_uid"]], *row.values())
            await self._upsert("upsert_persons", company_key, [(moved[0], *moved[2:9])])
            if row["profile_at"] is not None:
                await self._upsert("update_profiles", None, [(moved[0], *moved[9:])])
        for row in stays:
            await self._upsert(
                "upsert_subscriptions", company_key, [(moves[row["person_uid"]], *list(row.values())[1:])]
            )

    async def _upsert(self, name: str, company_key: str | None, rows: list[tuple[Any, ...]]) -> None:
        """Run a statement that takes one array a column, after the company where it asks for that."""
        columns = [list(column) for column in zip(*rows, strict=True)]
        arguments = columns if company_key is None else [company_key, *columns]
        await self.connection.execute(statement(name), *arguments)


def _person_row(uid: UUID, person: PersonState) -> tuple[Any, ...]:
    external_at, external = person.seen_external_person_id or (None, None)
    mdn_at, mdn, e164 = person.seen_mdn or (None, None, None)
    return (uid, person.person_id, person.person_key, external, external_at, mdn, e164, mdn_at)


def _profile_row(uid: UUID, person: PersonState) -> tuple[Any, ...]:
    assert person.profile is not None  # noqa: S101 - the caller picked those with one
    told, profile = person.profile, person.profile.profile
    return (
        uid,
        profile.at,
        profile.event_date,
        told.digest,
        profile.external_person_id,
        profile.mdn,
        profile.mdn_e164,
        profile.carrier_code,
        profile.timezone,
        profile.timezone_source,
        told.custom_fields,
        profile.created_at,
        profile.updated_at,
    )


def _stay_row(key: StayKey, stay: StayState) -> tuple[Any, ...]:
    opt_in, opt_out = stay.opt_in, stay.opt_out
    return (
        *key,
        opt_in.event_id if opt_in else None,
        opt_in.event_date if opt_in else None,
        stay.acquisition_campaign_id,
        opt_out.date if opt_out else None,
        opt_out.reason if opt_out else None,
        opt_out.event_id if opt_out else None,
        opt_out.event_date if opt_out else None,
    )
