"""Deal with the letters of a run, in the order of their ids, some at a time, until the end or until asked to stop."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Protocol, TypeVar

from runtime.companies import Companies
from runtime.lifecycle import wait_or_stop
from runtime.postgres import Connection, Pool, statement
from workers.apply.crm_reading import ReadChange
from workers.apply.patience import until_done
from workers.apply.reading import ReadCallback, countries
from workers.replay import runs
from workers.replay.letters import OPEN, Letter, next_letters
from workers.replay.reading import ReadLetter, read_letter
from workers.replay.record import Found, add_history, keep_results, lock_letters
from workers.replay.results import Outcome, Result
from workers.replay.runs import Run
from workers.replay.settle import Results, Settler

Kept = TypeVar("Kept")

_LETTERS = 100
"""In one transaction, at most: it holds rows that live traffic may wait for."""
_DISCARDED_LETTERS = 1000
_BYTES = 8 * 1024 * 1024
_PATIENCE_SECONDS = 60.0
"""How long Postgres may be away before a run is given up; it can be carried on."""


class Watcher(Protocol):
    """Is told how a run goes."""

    def settled(self, run: Run, letters: Sequence[Letter], results: Results) -> None:
        """Take what came of some letters; those not among the results were dealt with by others meanwhile."""


@dataclass(slots=True)
class Runner:
    """Deals with the letters of one run."""

    pool: Pool
    companies: Companies
    watcher: Watcher
    stop: asyncio.Event
    _seen: set[bytes] = field(default_factory=set)
    """A dry run's: events that would be applied, so that another letter with the same one is a duplicate."""

    async def run(self, run: Run, *, dry: bool = False) -> None:
        """Deal with the letters behind the run's cursor; each group of them is one transaction, cursor included.

        `dry`: nothing is kept. Ends early when `stop` is set: what is dealt with by then is kept, and the run can be
        carried on. Raises ServiceError when Postgres stays away.
        """
        letters = await self._next(run)
        while letters and not self.stop.is_set():
            if run.request.action == runs.DISCARD:
                await self._group(run, letters, partial(self._discard, run, letters))
            else:
                await self._replay_all(run, letters, dry=dry)
            if not self.stop.is_set():
                letters = await self._next(run)
        if not letters:
            run.finished = True
            if not dry:
                await self._patiently(lambda: runs.finish(self.pool, run))

    async def _next(self, run: Run) -> Sequence[Letter]:
        request = run.request
        limit = _DISCARDED_LETTERS if request.action == runs.DISCARD else _LETTERS
        if request.rate is not None:
            limit = max(1, min(limit, int(request.rate)))
        return await self._patiently(
            lambda: next_letters(self.pool, request.wanted, run.after_id, run.up_to_id, limit=limit, max_bytes=_BYTES)
        )

    async def _replay_all(self, run: Run, letters: Sequence[Letter], *, dry: bool) -> None:
        country_of = countries(self.companies)
        settler = Settler(self.pool, self.companies, run.request.wanted.status or OPEN)
        for group in _groups([read_letter(letter, country_of) for letter in letters]):
            started = time.monotonic()
            work = partial(self._try, settler, group) if dry else partial(self._replay, run, settler, group)
            await self._group(run, [item.letter for item in group], work)
            # Live traffic comes first: at least as much rest as work.
            took = time.monotonic() - started
            size = sum(item.size for item in group)
            pause = max(took, size / run.request.rate - took if run.request.rate else 0.0)
            if await wait_or_stop(self.stop, pause):
                return

    async def _group(self, run: Run, letters: Sequence[Letter], work: Callable[[], Awaitable[Results]]) -> None:
        results = await self._patiently(work)
        run.after_id = letters[-1].id
        run.counts += Counter(result.outcome for result in results.values())
        self.watcher.settled(run, letters, results)

    async def _replay(self, run: Run, settler: Settler, group: Sequence[ReadLetter]) -> Results:
        async def keep(connection: Connection, found: Found, results: Results) -> None:
            await keep_results(connection, run.run_id, run.request.requested_by, found, results)
            await runs.save(connection, run, group[-1].letter.id)

        return await settler.settle(group, keep)

    async def _try(self, settler: Settler, group: Sequence[ReadLetter]) -> Results:
        results = await settler.settle(group, None)
        for item in group:
            result, event = results.get(item.letter.id), _identity(item)
            if event is None or result is None or result.outcome is not Outcome.APPLIED:
                continue
            if event in self._seen:
                results[item.letter.id] = Result(Outcome.DUPLICATE, result.callback_type, result.event_id)
            self._seen.add(event)
        return results

    async def _discard(self, run: Run, letters: Sequence[Letter]) -> Results:
        request = run.request
        async with self.pool.acquire() as connection, connection.transaction():
            found = await lock_letters(connection, [letter.id for letter in letters], OPEN)
            results = {number: Result(Outcome.DISCARDED) for number in found}
            await connection.execute(
                statement("dead_letters_discard"), list(found), request.requested_by, request.remove_body
            )
            kept = {number: {**row, "detail": None} for number, row in found.items()} if request.remove_body else found
            await add_history(connection, run.run_id, kept, results)
            await runs.save(connection, run, letters[-1].id)
        return results

    async def _patiently(self, work: Callable[[], Awaitable[Kept]]) -> Kept:
        return await until_done(work, self.stop, _PATIENCE_SECONDS)


def _groups(letters: Sequence[ReadLetter]) -> Iterator[Sequence[ReadLetter]]:
    """Cut letters into groups of one transaction: a whole broker message is one of its own.

    Callbacks and changes of the CRM are kept apart: transactions with both could wait for live ones and these for them.
    """
    group: list[ReadLetter] = []
    for item in letters:
        if group and (item.is_message or group[-1].is_message or item.is_change != group[-1].is_change):
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _identity(item: ReadLetter) -> bytes | None:
    """Return what two letters with the same event or change have in common."""
    content = item.content
    if isinstance(content, ReadCallback) and content.event is not None:
        return content.event.key.bytes + content.event.body.hash.bytes
    if isinstance(content, ReadChange):
        return sha256(f"{content.company_key}\0".encode() + item.letter.body).digest()
    return None
