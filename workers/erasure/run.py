"""An erasure from its request to its end; every step can be cut short, and the whole be run again."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random

from runtime.companies import Company
from runtime.postgres import Connection
from schemas.errors import ServiceError
from schemas.person_due import PersonDue
from vibes_api import VibesClient, VibesError
from workers.erasure import request
from workers.erasure.identifiers import Identifiers
from workers.erasure.nullification import LEFT_ALONE, AtVibes, nullify
from workers.erasure.received import Progress, Sweep, transaction
from workers.erasure.request import Erasure
from workers.erasure.state import delete_state
from workers.person_sync.gate import SUBJECT, CompanyPausedError, Subject
from workers.person_sync.locks import PersonLocks

_LOCK_PATIENCE_SECONDS = 60.0


class _PersonBusyError(ServiceError):
    """Somebody else holds a lock of the person."""


@dataclass(frozen=True, slots=True)
class Eraser:
    """What an erasure needs: the database, the fleet's locks of persons, and Vibes (None: it is left alone)."""

    connection: Connection
    company: Company
    locks: PersonLocks
    client: VibesClient | None

    async def run(self, erasure_id: UUID, progress: Progress = lambda _done, _all: None) -> Erasure:
        """Carry a request on to its end, from wherever it is.

        Raises VibesError, CompanyPausedError and ServiceError when it cannot be done now: then it is as far as the
        record says, and nothing is deleted here that Vibes still holds. Raises what asyncpg raises.
        """
        async with self._alone(erasure_id):
            erasure = await self._load(erasure_id)
            if erasure.status == request.REQUESTED:
                try:
                    erasure = await self._nullify_and_delete(erasure)
                except (VibesError, CompanyPausedError, ServiceError) as error:
                    await request.record_failure(self.connection, erasure_id, str(error))
                    raise
            if erasure.status == request.ERASED_STATE:
                sweep = self._sweep(erasure)
                await sweep.log(progress)
                await sweep.letters()
                await sweep.notes()
                # Last: a call made just before is recorded a second later.
                await sweep.calls()
                await request.finish(self.connection, erasure_id)
            return await self._load(erasure_id)

    async def estimate(self, erasure_id: UUID, person: Identifiers, progress: Progress) -> dict[str, int]:
        """Return how many rows of each table would be erased: the same steps, each rolled back."""
        key = self.company.company_key
        async with transaction(self.connection, keep=False):
            await request.record_request(self.connection, erasure_id, key, person, None, local_only=True)
            deleted = await delete_state(self.connection, key, erasure_id, person, AtVibes(LEFT_ALONE))
        # What it is known by in the mirror, which is still there, is found by the mirror's own ids.
        sweep = Sweep(
            self.connection,
            key,
            self.company.default_country,
            erasure_id,
            deleted.person,
            deleted.erased_at,
            keep=False,
        )
        return {
            **deleted.counts,
            "callback_events": await sweep.log(progress),
            "dead_letters": await sweep.letters(),
            "dead_letter_runs": await sweep.notes(),
            "person_api_calls": await sweep.calls(),
        }

    async def _nullify_and_delete(self, erasure: Erasure) -> Erasure:
        async with self._hold(erasure):
            # The calls are recorded under the erasure's id: the person's would outlive the person.
            SUBJECT.set(Subject(erasure.erasure_id, self.locks))
            if self.client is None:
                vibes = AtVibes(LEFT_ALONE)
            else:
                vibes = await nullify(
                    self.client, erasure.person, self.company.default_country, _Keeper(self.connection, erasure).keep
                )
            erasure = await self._load(erasure.erasure_id)
            await self.locks.confirm()
            try:
                async with transaction(self.connection, keep=True):
                    await delete_state(self.connection, erasure.company_key, erasure.erasure_id, erasure.person, vibes)
            except asyncpg.LockNotAvailableError as error:
                raise ServiceError("apply workers hold the company's persons for too long; run it again") from error
        return await self._load(erasure.erasure_id)

    def _sweep(self, erasure: Erasure) -> Sweep:
        assert erasure.erased_at is not None  # noqa: S101 - told when the state was deleted
        return Sweep(
            self.connection,
            erasure.company_key,
            self.company.default_country,
            erasure.erasure_id,
            erasure.person,
            erasure.erased_at,
        )

    async def _load(self, erasure_id: UUID) -> Erasure:
        erasure = await request.load(self.connection, erasure_id)
        if erasure is None:
            raise ServiceError(f"there is no erasure {erasure_id}: `vibes-pipeline persons erasures` lists them")
        return erasure

    @asynccontextmanager
    async def _hold(self, erasure: Erasure) -> AsyncIterator[None]:
        """Hold the locks of the person and of their records of the CRM: no worker reads or writes them meanwhile."""
        async with AsyncExitStack() as held:
            for uid in erasure.person.sync_uids(erasure.company_key):
                await self._take(PersonDue(erasure.company_key, uid), held)
            yield

    @retry(
        retry=retry_if_exception_type(_PersonBusyError),
        stop=stop_after_delay(_LOCK_PATIENCE_SECONDS),
        wait=wait_random(0.05, 0.3),
        reraise=True,
    )
    async def _take(self, due: PersonDue, held: AsyncExitStack) -> None:
        async with AsyncExitStack() as trial:
            taken = await trial.enter_async_context(self.locks.hold(due))
            if taken:
                held.push_async_exit(trial.pop_all())
        # Not within: an error there makes the locks give up all they hold.
        if not taken:
            raise _PersonBusyError("a person worker is at this person for too long; run it again")

    @asynccontextmanager
    async def _alone(self, erasure_id: UUID) -> AsyncIterator[None]:
        key = int.from_bytes(erasure_id.bytes[:8], "big", signed=True)
        if not await self.connection.fetchval("SELECT pg_try_advisory_lock($1)", key):
            raise ServiceError(f"another process is at erasure {erasure_id} now")
        try:
            yield
        finally:
            if not self.connection.is_closed():
                await self.connection.execute("SELECT pg_advisory_unlock($1)", key)


class _Keeper:
    """Adds to what a person is known by, in the record of the request."""

    def __init__(self, connection: Connection, erasure: Erasure) -> None:
        self._connection = connection
        self._erasure = erasure

    async def keep(self, known: Identifiers) -> None:
        self._erasure = replace(self._erasure, person=self._erasure.person | known)
        await request.keep_identifiers(self._connection, self._erasure.erasure_id, self._erasure.person)
