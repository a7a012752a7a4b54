"""Apply some dead letters, or find out why not: in one transaction, which keeps all of it or nothing."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from runtime.companies import Companies
from runtime.postgres import Connection, Pool, statement
from schemas.errors import MessageError
from workers.apply.crm_reading import ReadChange, ReadChanges
from workers.apply.crm_settle import store_changes, store_or_set_aside
from workers.apply.reading import Outcome as CallbackOutcome
from workers.apply.reading import ReadCallback, ReadMessage, Receipt
from workers.apply.settle import settle_items
from workers.apply.transaction import AppliedElsewhereError, Settled, apply_again, apply_messages
from workers.erasure.tombstones import erased_since
from workers.mirror import Mirror, write_mirror
from workers.replay.letters import CRM_STAGE
from workers.replay.reading import ReadLetter
from workers.replay.record import Found, change_outcomes, lock_letters
from workers.replay.results import Outcome, Result, failure

Item = TypeVar("Item")
Results = dict[int, Result]
Refused = Mapping[Item, MessageError]
Keep = Callable[[Connection, Found, Results], Awaitable[None]]
"""Keeps the results, in the transaction. What was locked and is not among the results was not dealt with."""

_OUTCOMES = {CallbackOutcome.APPLIED: Outcome.APPLIED, CallbackOutcome.DUPLICATE: Outcome.DUPLICATE}


class _TrialPassed(Exception):  # noqa: N818 - not an error: it ends a trial's transaction without a trace
    def __init__(self, results: Results) -> None:
        super().__init__()
        self.results = results


@dataclass(frozen=True, slots=True)
class Settler:
    """Deals with dead letters that have a status, as the apply worker would with what is in them."""

    pool: Pool
    companies: Companies
    status: str

    async def settle(self, letters: Sequence[ReadLetter], keep: Keep | None) -> Results:
        """Apply some letters together: callbacks and changes, or one whole broker message alone.

        One that cannot be applied does not concern the others. Without `keep` all is rolled back. Letters that were
        dealt with meanwhile are left out. Raises what asyncpg raises when the environment is to blame: then nothing was
        changed.
        """
        if len(letters) == 1 and letters[0].is_message:
            return await self._settle_message(letters[0], keep)
        by_id = {item.letter.id: item for item in letters}

        async def once(items: Sequence[ReadLetter], refused: Refused[int], keep: Keep | None) -> Results:
            async def work(mirror: Mirror, found: Found) -> Results:
                return await self._apply(mirror, [item for item in items if item.letter.id in found], refused)

            return await self._transaction(items, work, keep)

        async def attempt(ids: Sequence[int]) -> None:
            await once([by_id[number] for number in ids], {}, None)

        readable = [number for number, item in by_id.items() if item.problem is None]
        return await settle_items(readable, lambda refused: once(letters, refused, keep), attempt)

    async def _apply(self, mirror: Mirror, letters: Sequence[ReadLetter], refused: Refused[int]) -> Results:
        results: Results = {}
        callbacks: dict[Receipt, int] = {}
        changes: dict[int, ReadChange] = {}
        good: list[ReadCallback] = []
        outcomes: dict[Receipt, CallbackOutcome] = {}
        for item in letters:
            number, content = item.letter.id, item.content
            problem = item.problem or refused.get(number)
            if problem is not None:
                results[number] = result = _failure(item, problem)
                if isinstance(content, ReadCallback):
                    quarantined = result.kind == "quarantined"
                    outcomes[content.receipt] = (
                        CallbackOutcome.QUARANTINED if quarantined else CallbackOutcome.DEAD_LETTERED
                    )
            elif isinstance(content, ReadCallback):
                callbacks[content.receipt] = number
                good.append(content)
            elif isinstance(content, ReadChange):
                changes[number] = content
        settled, erased = await apply_again(mirror, good, self.companies)
        await _wait_for_others(mirror, settled)
        for callback in good:
            outcome = settled.outcomes[callback.receipt]
            outcomes[callback.receipt] = outcome
            told = Outcome.ERASED if callback.receipt in erased else _OUTCOMES[outcome]
            results[callbacks[callback.receipt]] = _about(callback, Result(told))
        results |= await self._store(mirror.connection, changes)
        await change_outcomes(mirror.connection, outcomes)
        return results

    async def _store(self, connection: Connection, changes: Mapping[int, ReadChange]) -> Results:
        """Store changes of the CRM, but for those about erased persons."""
        results: Results = {}
        by_company: dict[str, dict[int, ReadChange]] = {}
        for number, change in changes.items():
            by_company.setdefault(change.company_key, {})[number] = change
        for company_key, items in by_company.items():
            erased = await erased_since(
                connection, company_key, {item.change.external_person_id for item in items.values()}
            )
            for number, item in items.items():
                since = erased.get(item.change.external_person_id)
                if since is not None and item.change.updated_at <= since:
                    results[number] = Result(Outcome.ERASED)
        stored = {number: item for number, item in changes.items() if number not in results}
        if stored:
            altering = await store_changes(connection, list(stored.values()), self.companies)
            for number, item in stored.items():
                results[number] = Result(Outcome.APPLIED if item.told in altering else Outcome.DUPLICATE)
        return results

    async def _settle_message(self, item: ReadLetter, keep: Keep | None) -> Results:
        """Deal with a whole broker message: each part of it comes to an outcome of its own."""
        content = item.content
        if isinstance(content, ReadMessage):
            return await self._settle_callbacks(item, content, keep)
        assert isinstance(content, ReadChanges)  # noqa: S101 - the only other kind of message
        return await self._settle_changes(item, content, keep)

    async def _settle_callbacks(self, item: ReadLetter, message: ReadMessage, keep: Keep | None) -> Results:
        async def once(message: ReadMessage, refused: Refused[Receipt], keep: Keep | None) -> Results:
            async def work(mirror: Mirror, found: Found) -> Results:
                if item.letter.id not in found:
                    return {}
                settled = await apply_messages(mirror, [message], self.companies, refused, announce=0)
                if settled.redelivered:
                    return {item.letter.id: Result(Outcome.DUPLICATE, detail="the message had been dealt with")}
                counted = Counter(outcome.name.lower() for outcome in settled.outcomes.values())
                return {item.letter.id: Result(Outcome.APPLIED, detail=_listed(counted, "callbacks"))}

            return await self._transaction([item], work, keep)

        async def attempt(receipts: Sequence[Receipt]) -> None:
            wanted = set(receipts)
            part = tuple(callback for callback in message.callbacks if callback.receipt in wanted)
            await once(replace(message, callbacks=part), {}, None)

        receipts = [callback.receipt for callback in message.callbacks]
        return await settle_items(receipts, lambda refused: once(message, refused, keep), attempt)

    async def _settle_changes(self, item: ReadLetter, message: ReadChanges, keep: Keep | None) -> Results:
        unreadable = {change: change.problem for change in message.changes if change.problem is not None}

        async def once(changes: Sequence[ReadChange], refused: Refused[ReadChange], keep: Keep | None) -> Results:
            async def work(mirror: Mirror, found: Found) -> Results:
                if item.letter.id not in found:
                    return {}
                outcomes = await store_or_set_aside(mirror.connection, changes, self.companies, refused)
                counted = Counter(outcome.value for outcome in outcomes.values())
                return {item.letter.id: Result(Outcome.APPLIED, detail=_listed(counted, "changes"))}

            return await self._transaction([item], work, keep)

        async def attempt(part: Sequence[ReadChange]) -> None:
            await once(part, {}, None)

        return await settle_items(
            [change for change in message.changes if change not in unreadable],
            lambda refused: once(message.changes, {**unreadable, **refused}, keep),
            attempt,
        )

    async def _transaction(
        self,
        letters: Sequence[ReadLetter],
        work: Callable[[Mirror, Found], Awaitable[Results]],
        keep: Keep | None,
    ) -> Results:
        ids = [item.letter.id for item in letters]

        async def all_of_it(mirror: Mirror) -> Results:
            found = await lock_letters(mirror.connection, ids, self.status)
            results = await work(mirror, found)
            if keep is None:
                raise _TrialPassed(results)
            await keep(mirror.connection, found, results)
            return results

        company_keys = {item.company_key for item in letters if item.company_key is not None}
        while True:
            try:
                async with self.pool.acquire() as connection:
                    return await write_mirror(connection, company_keys, all_of_it)
            except _TrialPassed as passed:
                return passed.results
            except AppliedElsewhereError:
                continue


async def _wait_for_others(mirror: Mirror, settled: Settled) -> None:
    """Let the syncs that follow from a replay wait for those that follow from what just happened."""
    by_company: dict[str, list[object]] = {}
    for due in settled.due:
        by_company.setdefault(due.company_key, []).append(due.person_uid)
    for company_key, person_uids in by_company.items():
        await mirror.connection.execute(statement("dead_letters_defer_syncs"), company_key, person_uids)


def _failure(item: ReadLetter, problem: MessageError) -> Result:
    if item.letter.stage == CRM_STAGE:
        return failure(CRM_STAGE, problem)
    if isinstance(item.content, ReadCallback):
        was_read = item.content.event is not None
        return _about(item.content, failure("apply" if was_read else "decode", problem, was_read=was_read))
    return failure("decode", problem)


def _about(callback: ReadCallback, result: Result) -> Result:
    """Add what could be read of the event, unless nothing of it is to be kept."""
    event = callback.event
    if event is None or result.outcome is Outcome.ERASED:
        return result
    return replace(result, callback_type=event.callback_type.value, event_id=event.event_id)


def _listed(counted: Mapping[str, int], what: str) -> str:
    parts = ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
    return f"{what}: {parts or 'none'}"
