"""One run: persons in order, several at a time, each read, compared and repaired; and how far it has come."""

import asyncio
import time
import traceback
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import structlog

from runtime.postgres import DATA_ERRORS, POSTGRES_ERRORS, Pool
from schemas.errors import MessageError, ServiceError
from vibes_api import AccessDenied, VibesError
from workers.person_sync.accounts import Account
from workers.person_sync.gate import SUBJECT, Subject
from workers.reconcile import runs
from workers.reconcile.answer import Answer
from workers.reconcile.compare import Origin, compare
from workers.reconcile.crm import compare_records
from workers.reconcile.drift import Drift, Kind
from workers.reconcile.here import Here
from workers.reconcile.mirror import MirrorReader
from workers.reconcile.repair import Repairer
from workers.reconcile.runs import Run
from workers.reconcile.stays import in_doubt
from workers.reconcile.targets import Options, Target
from workers.reconcile.vibes import StoppedError, VibesReader

log = structlog.get_logger()

_SAVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one person."""

    person_uid: UUID
    external_person_id: str | None = field(repr=False, default=None)
    drifts: tuple[Drift, ...] = ()
    repaired: bool = False
    """Whether what is repairable was repaired."""
    failure: str | None = None
    """Why the person could not be compared; no personal data."""


class Watcher(Protocol):
    """Is told how a run goes."""

    def notice(self, what: str) -> None:
        """Take a sentence about why it waits."""

    def found(self, finding: Finding) -> None:
        """Take what was found about a person; not called for one who agrees."""

    def progress(self, run: Run) -> None:
        """Take how far it is."""


class Reconciler:
    """Compares one company's persons with Vibes."""

    def __init__(self, pool: Pool, account: Account, options: Options, watcher: Watcher, stop: asyncio.Event) -> None:
        self._pool = pool
        self._account = account
        self._options = options
        self._watcher = watcher
        self._stop = stop
        self._vibes = VibesReader(account, watcher.notice, stop)
        self._mirror = MirrorReader(pool, account.company.company_key)
        self._repairer = Repairer(pool, account.company, dry_run=options.dry_run)

    async def run(
        self,
        run: Run,
        targets: AsyncIterator[Target],
        *,
        concurrency: int,
        limit: int | None = None,
        kept: bool = True,
    ) -> None:
        """Deal with the targets, `limit` of them at most; the run's cursor follows, over whatever is dealt with.

        `kept`: the run has a row, which is kept up to date. Ends early, with all of that in order, when `stop` is set.
        Raises AccessDenied, ServiceError and POSTGRES_ERRORS, which end the run where it is.
        """
        calls = run.tally.calls
        waiting: deque[tuple[Target, asyncio.Task[Finding]]] = deque()
        saved_at = time.monotonic()

        async def next_done() -> None:
            nonlocal saved_at
            target, task = waiting[0]
            self._count(run, target, await task)
            waiting.popleft()
            run.tally.calls = calls + self._vibes.calls
            self._watcher.progress(run)
            if kept and time.monotonic() - saved_at > _SAVE_SECONDS:
                await runs.save(self._pool, run)
                saved_at = time.monotonic()

        try:
            started, all_started = 0, False
            async for target in targets:
                if self._stop.is_set() or started == limit:
                    break
                started += 1
                waiting.append((target, asyncio.create_task(self._settle(target, run))))
                if len(waiting) >= concurrency:
                    await next_done()
            else:
                all_started = True
            while waiting:
                await next_done()
            run.finished = all_started
        except StoppedError:
            log.info("reconcile.stopped", persons=run.tally.persons)
        finally:
            await _cancel(task for _, task in waiting)
            if kept:
                await runs.save(self._pool, run)

    def _count(self, run: Run, target: Target, finding: Finding) -> None:
        tally = run.tally
        run.cursor = target.cursor
        tally.persons += 1
        tally.failed += finding.failure is not None
        for drift in finding.drifts:
            tally.found[drift.kind] += 1
            if finding.repaired and drift.repairable:
                tally.repaired[drift.kind] += 1
        if finding.drifts or finding.failure:
            self._watcher.found(finding)

    async def _settle(self, target: Target, run: Run) -> Finding:
        """Deal with one person; what is wrong with them stays with them."""
        SUBJECT.set(Subject(target.subject_uid, None, bulk=True))
        try:
            return await self._compare(target, run)
        except (StoppedError, AccessDenied, ServiceError):
            raise
        except VibesError as error:
            failure = str(error)
        except MessageError as error:
            failure = f"the answer cannot be read: {error.reason}"
        except DATA_ERRORS as error:
            # The text may quote the answer, so only the class is told.
            failure = f"the answer cannot be stored: {type(error).__name__}"
        except POSTGRES_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is: it is reported, and the others go on
            where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]
            log.error("reconcile.internal_error", error=type(error).__name__, where=where)  # noqa: TRY400 - no text: it may quote the person
            failure = f"internal error: {type(error).__name__}"
        return Finding(target.subject_uid, target.external_person_id, failure=failure)

    async def _compare(self, target: Target, run: Run) -> Finding:
        answer, here = await self._read(target)
        drifts = compare(here, answer, Origin(run.event_id, self._options.close_gone))
        drifts += await self._compare_records(target, answer, here)
        standing = await self._repairer.repair(drifts, answer.profile)
        external = answer.profile.external_person_id if answer.profile else None
        return Finding(
            here.person_uid or target.subject_uid,
            external or here.external_person_id or target.external_person_id,
            tuple(standing),
            repaired=not self._options.dry_run,
        )

    async def _read(self, target: Target) -> tuple[Answer, Here]:
        """Ask Vibes, then look at the mirror: what callbacks tell in between is no difference then."""
        if target.asked is not None:
            answer = await self._vibes.read_person(target.asked)
        else:
            answer = await self._vibes.read_external(target.external_person_id or "")
        answer, here = await self._look(target, answer)
        if answer.profile is not None and in_doubt(here, answer):
            answer = await self._vibes.confirm(answer)
            answer, here = await self._look(target, answer)
        return answer, here

    async def _look(self, target: Target, answer: Answer) -> tuple[Answer, Here]:
        answered = answer.profile.person if answer.profile else None
        here = await self._mirror.load(target.asked, answered)
        if answer.other_person:
            other = await self._mirror.load(answered)
            if other.person_uid is None or other.person_uid != here.person_uid:
                return answer.unknown(), here
        return answer, here

    async def _compare_records(self, target: Target, answer: Answer, here: Here) -> list[Drift]:
        policy = self._account.company.sync
        if answer.profile is not None:
            held = await self._mirror.records_of(answer.profile, [here.external_person_id, target.external_person_id])
            return compare_records(held, answer.profile, policy)
        if target.external_person_id is None:
            return []
        held = await self._mirror.record(target.external_person_id)
        if not held:
            return [
                Drift(Kind.PERSON_GONE, remark="nobody has this external id: not at Vibes, not here, not in the CRM")
            ]
        return compare_records(held, None, policy)


async def single(*targets: Target) -> AsyncGenerator[Target, None]:
    """Yield some targets."""
    for target in targets:
        yield target


async def _cancel(tasks: Iterable[asyncio.Task[Finding]]) -> None:
    left = list(tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
