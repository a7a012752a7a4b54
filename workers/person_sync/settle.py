"""Deal with persons that are due: the lock, as many passes as it takes, and trouble with Postgres."""

import traceback
from collections.abc import Mapping

import structlog

from runtime import metrics, tracing
from runtime.postgres import POSTGRES_ERRORS, Pool
from schemas.errors import ServiceError
from schemas.person_due import PersonDue
from workers.person_sync import outbox
from workers.person_sync.accounts import Account
from workers.person_sync.attempt import Attempt, Refusal
from workers.person_sync.backoff import LONGEST_SECONDS
from workers.person_sync.gate import SUBJECT, Subject
from workers.person_sync.locks import PersonLocks
from workers.person_sync.outbox import SYNCED, Failure

log = structlog.get_logger()

NO_CREDENTIALS = Failure("no API credentials")


class Settler:
    """Deals with persons, each under its lock."""

    def __init__(self, pool: Pool, accounts: Mapping[str, Account], locks: PersonLocks) -> None:
        self._pool = pool
        self._accounts = accounts
        self._locks = locks

    async def settle(self, due: PersonDue) -> None:
        """Deal with the person until nothing is due, unless another worker is at it.

        Whatever is wrong with the person, with Vibes or with this program ends in the outbox. Raises ServiceError when
        Postgres is to blame: then the person is due as before.
        """
        refusal = None
        try:
            while True:
                async with self._locks.hold(due) as held:
                    if not held:
                        # The holder looks again when it is done; should it die instead, the sweep soon does.
                        await outbox.look_again_soon(self._pool, due)
                        return
                    refusal = await self._attempt_apart(due, refusal)
                # Not before the lock is free: until then whoever comes with a message goes away again.
                if not await outbox.is_pending(self._pool, due):
                    return
        except POSTGRES_ERRORS as error:
            raise ServiceError(f"Postgres cannot take a sync now: {type(error).__name__}") from error

    async def _attempt_apart(self, due: PersonDue, refusal: Refusal | None) -> Refusal | None:
        """Keep a person that trips over a bug of ours from stopping the others."""
        try:
            return await self._attempt(due, refusal)
        except (ServiceError, *POSTGRES_ERRORS):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is: it is reported, and the person tried again later
            # Not the error's text: it may quote the person.
            where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]
            log.error("person_sync.internal_error", error=type(error).__name__, where=where)  # noqa: TRY400 - see above
            failure = Failure(f"internal error: {type(error).__name__}")
            await outbox.postpone(self._pool, due, None, LONGEST_SECONDS, failure)
            metrics.PERSON_SYNC_OUTCOMES.labels(due.company_key, "postponed").inc()
            return None

    async def _attempt(self, due: PersonDue, refusal: Refusal | None) -> Refusal | None:
        state = await outbox.load(self._pool, due)
        if state is None or not state.due:
            return refusal
        SUBJECT.set(Subject(due.person_uid, self._locks, state.bulk))
        _correlate(state.event_id)
        account = self._accounts.get(due.company_key)
        if account is None:
            await outbox.finish(self._pool, due, state, SYNCED, NO_CREDENTIALS)
            metrics.PERSON_SYNC_OUTCOMES.labels(due.company_key, "skipped").inc()
            return None
        attempt = Attempt(self._pool, account, due, state, refusal)
        outcome = await attempt.run()
        metrics.PERSON_SYNC_OUTCOMES.labels(due.company_key, outcome).inc()
        return attempt.refusal


def _correlate(event_id: str | None) -> None:
    """Have every line that this task logs from here on, and its span, tell which event it follows from."""
    structlog.contextvars.unbind_contextvars("event_id")
    if event_id is not None:
        structlog.contextvars.bind_contextvars(event_id=event_id)
        tracing.current().note(event_id=event_id)
