"""Apply a history to the database, as an apply worker would, but for the broker."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress

import asyncpg
from pydantic import ValidationError

from runtime.companies import Companies
from runtime.lifecycle import wait_or_stop
from runtime.postgres import POSTGRES_ERRORS, Connection, Pool, statement
from schemas.broker_message import CallbackMessage
from schemas.errors import ConfigurationError, ServiceError
from simulator.history.spec import HistorySpec
from workers.apply.patience import until_done
from workers.apply.reading import countries, read_message
from workers.apply.settle import settle

_BATCH_CALLBACKS = 1000
BATCHES_AT_ONCE = 2
CONNECTIONS = BATCHES_AT_ONCE + 1
_GIVE_UP_SECONDS = 60.0
"""For how long Postgres may be away: somebody is waiting in front of this command."""
_ROWS_AT_ONCE = 50_000
_ADD_UP_SECONDS = 1.0
_ANALYZED = ("callback_events", "persons", "person_identities", "subscriptions")


def quiet_company(company_key: str) -> Companies:
    """Return a configuration that writes nobody to Vibes: these people are made up. Raises ConfigurationError."""
    off = dict.fromkeys(("hydrate_unknown_persons", "push_crm_data", "push_crm_changes", "add_unknown_persons"), False)
    endpoint = {"name": "history", "key_sha256": "0" * 64}
    company = {"company_key": company_key, "region": "US", "endpoints": [endpoint], "sync": off}
    try:
        return Companies.model_validate({"companies": [company]})
    except ValidationError:
        raise ConfigurationError(
            f"--company {company_key!r}: no such key can be; at most 128 characters, no blanks, no slashes"
        ) from None


async def refuse_foreign(connection: Connection, spec: HistorySpec) -> None:
    """Raise ConfigurationError if the company has callbacks of anybody else: made-up people stay among themselves."""
    if await connection.fetchval(statement("history_is_foreign"), spec.company_key, spec.ingest_id):
        raise ConfigurationError(
            f"--company {spec.company_key}: the database has callbacks of this company that are not of this history; "
            "name another company or another database, or give the --until, --events and --seed of that history"
        )


async def make_partitions(connection: Connection, spec: HistorySpec) -> None:
    """Make the partitions of the past that the history needs. Raises ConfigurationError when that is not allowed."""
    months = (spec.until.year - spec.begin.year) * 12 + spec.until.month - spec.begin.month + 1
    try:
        await connection.execute("SELECT create_month_partitions('callback_events', $1, $2)", spec.begin.date(), months)
        await connection.execute("SELECT grant_access()")
    except asyncpg.InsufficientPrivilegeError:
        raise ConfigurationError(
            "DATABASE_URL: this user may not make partitions for the past; use the owner of the tables, who migrates"
        ) from None


async def apply_history(
    pool: Pool,
    company_key: str,
    messages: AsyncIterable[CallbackMessage],
    stop: asyncio.Event,
    progress: Callable[[int], None],
) -> None:
    """Apply a history, `BATCHES_AT_ONCE` transactions at a time; `progress` is told how many callbacks were applied.

    Raises ServiceError when it is stopped, or Postgres stays away: applied again, the history goes on from there.
    """
    companies = quiet_company(company_key)
    country_of = countries(companies)
    free = asyncio.Semaphore(BATCHES_AT_ONCE)

    async def apply(batch: Sequence[CallbackMessage]) -> None:
        try:
            read = [read_message(message, country_of) for message in batch]
            await until_done(lambda: settle(pool, read, companies, announce=0), stop, _GIVE_UP_SECONDS)
            progress(sum(len(message.callbacks) for message in batch))
        finally:
            free.release()

    over = asyncio.Event()
    adding_up = asyncio.create_task(_add_up_meanwhile(pool, over))
    try:
        async with asyncio.TaskGroup() as group:
            async for batch in _batches(messages):
                await free.acquire()
                if stop.is_set():
                    raise ServiceError("broken off; the same command goes on from here")
                group.create_task(apply(batch))
    except BaseExceptionGroup as group_error:
        raise next(iter(_leaves(group_error))) from None
    finally:
        over.set()
        await adding_up


async def _add_up_meanwhile(pool: Pool, over: asyncio.Event) -> None:
    """Do as an apply worker does, so that little is left to be done in the end."""
    while not await wait_or_stop(over, _ADD_UP_SECONDS):
        with suppress(*POSTGRES_ERRORS):  # what is not added up now is in the end
            await pool.fetchval("SELECT analytics_store.roll_up($1)", _ROWS_AT_ONCE, timeout=None)


async def finish(connection: Connection) -> None:
    """Leave the database as apply leaves it: what analysts and the audit read is added up, statistics are gathered."""
    while await connection.fetchval(statement("account_roll_up"), _ROWS_AT_ONCE):
        pass
    while await connection.fetchval("SELECT analytics_store.roll_up($1)", _ROWS_AT_ONCE, timeout=None):
        pass
    for table in _ANALYZED:
        await connection.execute(f"ANALYZE {table}")


async def _batches(messages: AsyncIterable[CallbackMessage]) -> AsyncIterator[list[CallbackMessage]]:
    batch: list[CallbackMessage] = []
    callbacks = 0
    async for message in messages:
        batch.append(message)
        callbacks += len(message.callbacks)
        if callbacks >= _BATCH_CALLBACKS:
            yield batch
            batch, callbacks = [], 0
    if batch:
        yield batch


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
