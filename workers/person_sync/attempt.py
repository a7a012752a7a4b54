"""One attempt to sync a person: the calls that are needed, and what becomes of each in the mirror and the outbox."""

from dataclasses import dataclass
from typing import Literal

import asyncpg
import structlog
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random

from runtime.postgres import DATA_ERRORS, Connection, Pool
from schemas.errors import MessageError
from schemas.facts import PersonIdentity
from schemas.person_due import PersonDue
from vibes_api import AccessDenied, Rejected, VibesError
from workers.mirror import Mirror, write_mirror
from workers.person_sync import outbox
from workers.person_sync.accounts import Account, Made
from workers.person_sync.backoff import backoff_seconds
from workers.person_sync.decide import ANSWER_NOT_STORED, Action, Finish, Flag, decide
from workers.person_sync.gate import PAUSE_SECONDS, CompanyPausedError
from workers.person_sync.outbox import CONFLICT, SYNCED, Failure
from workers.person_sync.state import SyncState
from workers.sync_requests import request_writes_about

log = structlog.get_logger()

Outcome = Literal["synced", "postponed", "conflict"]

_again_after_deadlock = retry(
    retry=retry_if_exception_type(asyncpg.TransactionRollbackError),
    stop=stop_after_attempt(5),
    wait=wait_random(0, 0.1),
    reraise=True,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An action that cannot succeed as it is, and why."""

    action: Action
    failure: Failure


class Attempt:
    """From the state that was read to an outcome in the outbox.

    `refusal` tells what was refused just before, and is not done again; afterwards, what was refused this time.
    """

    def __init__(
        self, pool: Pool, account: Account, due: PersonDue, state: SyncState, refusal: Refusal | None = None
    ) -> None:
        self.refusal = refusal
        self._pool = pool
        self._account = account
        self._company = account.company
        self._due = due
        self._state = state
        self._tried: set[type[Action]] = set()
        self._action: Action = Finish()

    async def run(self) -> Outcome:
        """Make the calls that are needed, and write down what became of them. Raises ServiceError, POSTGRES_ERRORS."""
        try:
            return await self._advance()
        except Rejected as error:
            return await self._refuse(outbox.failure_of(error))
        except AccessDenied as error:
            return await self._postpone(PAUSE_SECONDS, outbox.failure_of(error))
        except VibesError as error:
            seconds = backoff_seconds(self._state.attempts + 1, error.retry_after)
            return await self._postpone(seconds, outbox.failure_of(error))
        except CompanyPausedError as pause:
            return await self._postpone(pause.seconds, Failure(str(pause)), counts=False)
        except (*DATA_ERRORS, MessageError) as error:
            # The text may quote the answer, so only the class is kept.
            return await self._refuse(Failure(f"{ANSWER_NOT_STORED}: {type(error).__name__}"))

    async def _advance(self) -> Outcome:
        self._action = self._decide(self._state)
        if isinstance(self._action, Finish):
            await self._finish_alone(self._action)
        while not isinstance(self._action, Finish | Flag):
            if self.refusal is not None and self.refusal.action == self._action:
                return await self._refuse(self.refusal.failure)
            self._tried.add(type(self._action))
            made = await self._account.make(self._action)
            self._state, self._action = await self._keep(made)
        if isinstance(self._action, Flag):
            return await self._refuse(Failure(self._action.why))
        return "synced"

    @_again_after_deadlock
    async def _keep(self, made: Made) -> tuple[SyncState, Action]:
        """Store what a call told; if nothing is left to do then, finish, in the same transaction."""
        profile = made.profile

        async def work(mirror: Mirror) -> tuple[SyncState, Action]:
            if profile is not None:
                await mirror.store(self._due.company_key, [profile])
                if made.added:
                    # Whoever the record was bound to is no more at Vibes.
                    await self._bind(mirror.connection, profile.person)
            state = await outbox.load(mirror.connection, self._due)
            if state is None:
                # What the call told joined this person to another, who is due in its place.
                return self._state, Finish()
            action = self._decide(state)
            if isinstance(action, Finish):
                await self._finish(mirror.connection, action)
            return state, action

        async with self._pool.acquire() as connection:
            return await write_mirror(connection, [self._due.company_key], work)

    def _decide(self, state: SyncState) -> Action:
        return decide(state, self._company.sync, self._tried)

    @_again_after_deadlock
    async def _finish_alone(self, action: Finish) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await self._finish(connection, action)

    async def _finish(self, connection: Connection, action: Finish) -> None:
        """Record the version that was read before the last call: what was asked for since then is not dealt with."""
        if action.person is not None:
            # Before the outbox: whoever stores changes of the CRM locks the two in this order.
            await self._bind(connection, action.person)
        failure = Failure(action.remark) if action.remark else None
        finished = await outbox.finish(
            connection, self._due, self._state, SYNCED, failure, self._company.sync.delay_seconds
        )
        if finished and self._state.external_person_id is None:
            person_uid, event_id = self._due.person_uid, self._state.event_id
            event_ids = {person_uid: event_id} if event_id else {}
            await request_writes_about(connection, self._company, [person_uid], event_ids=event_ids)

    async def _bind(self, connection: Connection, person: PersonIdentity) -> None:
        if self._state.external_person_id is not None:
            await outbox.bind(connection, self._due.company_key, self._state.external_person_id, person)

    async def _refuse(self, failure: Failure) -> Outcome:
        self.refusal = Refusal(self._action, failure)
        await outbox.finish(self._pool, self._due, self._state, CONFLICT, failure, self._company.sync.delay_seconds)
        log.warning("person_sync.conflict", **self._whom(), error=failure.error)
        return "conflict"

    async def _postpone(self, seconds: float, failure: Failure, *, counts: bool = True) -> Outcome:
        await outbox.postpone(self._pool, self._due, self._state, seconds, failure, counts=counts)
        log.info("person_sync.postponed", **self._whom(), error=failure.error, seconds=round(seconds, 1))
        return "postponed"

    def _whom(self) -> dict[str, str]:
        return {"company_key": self._due.company_key, "person_uid": str(self._due.person_uid)}
