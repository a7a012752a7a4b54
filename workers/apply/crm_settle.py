"""Settle changes of the CRM: store them, and set those aside, alone, that cannot be stored."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from runtime import metrics
from runtime.companies import Companies
from runtime.postgres import Connection, Pool, statement
from schemas.errors import MessageError
from workers.apply.crm_reading import ReadChange, written_form
from workers.apply.settle import Watch, settle_items, sift, trial_of
from workers.crm.store import Told, store
from workers.erasure.tombstones import erased_since


class ChangeOutcome(Enum):
    """What became of a change; the value is its label in metrics."""

    CHANGED = "changed"
    """It altered a record."""
    UNCHANGED = "unchanged"
    """It told nothing new, or nothing newer."""
    DEAD_LETTERED = "dead_lettered"


Outcomes = dict[ReadChange, ChangeOutcome]

_STAGE = "crm"
"""Where changes that were set aside come from, as dead letters say."""


async def settle_changes(
    pool: Pool, changes: Sequence[ReadChange], companies: Companies, watch: Watch | None = None
) -> Outcomes:
    """Store some changes in one transaction, and set aside what cannot be read or is refused for its content.

    Storing a change again does no harm, so nothing is kept of which were. `watch`: see `settle_items`. Raises what
    asyncpg raises when the environment is to blame: then nothing was changed, and the batch can be tried again.
    """
    unreadable = {change: change.problem for change in changes if change.problem is not None}
    return await settle_items(
        [change for change in changes if change not in unreadable],
        lambda refused: _settle(pool, changes, companies, {**unreadable, **refused}),
        _attempt(pool, companies),
        watch,
    )


async def rehearse_changes(pool: Pool, changes: Sequence[ReadChange], companies: Companies, watch: Watch) -> None:
    """Tell `watch` why changes would be refused; keep nothing. Raises what it raises, and what asyncpg raises."""
    readable = [change for change in changes if change.problem is None]
    await sift(readable, trial_of(_attempt(pool, companies)), watch)


def _attempt(pool: Pool, companies: Companies) -> Callable[[Sequence[ReadChange]], Awaitable[None]]:
    async def attempt(tried: Sequence[ReadChange]) -> None:
        async with pool.acquire() as connection:
            trial = connection.transaction()
            await trial.start()
            try:
                await store_changes(connection, tried, companies)
            finally:
                await trial.rollback()

    return attempt


async def refuse_changes(
    pool: Pool, changes: Sequence[ReadChange], companies: Companies, problem: MessageError
) -> Outcomes:
    """Set all of some changes aside, for one reason. Raises what asyncpg raises."""
    return await _settle(pool, changes, companies, dict.fromkeys(changes, problem))


async def _settle(
    pool: Pool, changes: Sequence[ReadChange], companies: Companies, set_aside: Mapping[ReadChange, MessageError]
) -> Outcomes:
    async with pool.acquire() as connection, connection.transaction():
        outcomes = await store_or_set_aside(connection, changes, companies, set_aside)
    for change, problem in set_aside.items():
        metrics.DEAD_LETTERS.labels(change.company_key, _STAGE, problem.reason).inc()
    return outcomes


async def store_or_set_aside(
    connection: Connection,
    changes: Sequence[ReadChange],
    companies: Companies,
    set_aside: Mapping[ReadChange, MessageError],
) -> Outcomes:
    """Store some changes, but for those to be set aside, in a transaction of the caller's. Raises what asyncpg does."""
    stored = [change for change in changes if change not in set_aside]
    altering = await store_changes(connection, stored, companies)
    if set_aside:
        rows = [_dead_letter_row(change, problem) for change, problem in set_aside.items()]
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(statement("insert_dead_letters"), *columns)
    outcomes = dict.fromkeys(set_aside, ChangeOutcome.DEAD_LETTERED)
    for change in stored:
        outcomes[change] = ChangeOutcome.CHANGED if change.told in altering else ChangeOutcome.UNCHANGED
    return outcomes


async def store_changes(connection: Connection, changes: Sequence[ReadChange], companies: Companies) -> set[Told]:
    """Store changes company by company, in the order of the companies' keys: see `workers.crm.store.store`.

    Shares the companies' identities, so that nobody is erased meanwhile. Returns the changes that altered a record.
    Raises what asyncpg raises.
    """
    by_company: defaultdict[str, list[Told]] = defaultdict(list)
    for change in changes:
        if change.told is not None:
            by_company[change.company_key].append(change.told)
    await connection.execute(statement("lock_identities"), sorted(by_company), False)
    altering: set[Told] = set()
    for company_key, told in sorted(by_company.items()):
        erased = await erased_since(connection, company_key, {item.external_person_id for item in told})
        altering |= await store(connection, company_key, companies.get(company_key), told, erased)
    return altering


def _dead_letter_row(change: ReadChange, problem: MessageError) -> tuple[Any, ...]:
    message_id, position = change.receipt
    return (
        change.company_key,
        "dead_lettered",
        _STAGE,
        problem.reason,
        problem.detail or None,
        written_form(change.change),
        None,
        None,
        change.received_at,
        None,
        None,
        None,
        "{}",
        message_id,
        position,
    )
