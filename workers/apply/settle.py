"""Settle a batch: apply it, and when that fails for its content, find the items that are to blame."""

import traceback
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

import structlog

from runtime import metrics
from runtime.companies import Companies
from runtime.postgres import DATA_ERRORS, POSTGRES_ERRORS, Pool
from schemas.errors import MessageError
from workers.apply.reading import ReadMessage, Receipt
from workers.apply.transaction import AppliedElsewhereError, Settled, apply_messages
from workers.mirror import Mirror, write_mirror

log = structlog.get_logger()

Item = TypeVar("Item")
Result = TypeVar("Result")
Trial = Callable[[Sequence[Item]], Awaitable[MessageError | None]]
"""Tells why some items cannot be applied together; None: they can."""
Watch = Callable[[Collection[MessageError]], None]
"""Is told why items are refused, all of them so far; may raise ServiceError to have everything left as it is."""

_ROUNDS = 5
"""How often the items to blame are looked for: more than once if others interfere. What fails after that, with all of
them left out, is no item's fault."""


async def settle(
    pool: Pool,
    messages: Sequence[ReadMessage],
    companies: Companies,
    *,
    elsewhere: Set[UUID] = frozenset(),
    announce: int = 1000,
    watch: Watch | None = None,
) -> Settled:
    """Apply the callbacks of some messages, each once; set aside, alone, what the database refuses for its content.

    `elsewhere` are keys of events that another batch is claiming at the moment: they are left for last. `announce`: so
    many of the persons that become due are returned to be announced, at most. `watch`: see `settle_items`.
    Raises what asyncpg raises when the environment is to blame: then nothing was changed, and the batch can be tried
    again.
    """
    receipts = [callback.receipt for message in messages for callback in message.callbacks]
    return await settle_items(
        receipts,
        lambda refused: _apply(pool, messages, companies, refused, elsewhere=elsewhere, announce=announce),
        lambda tried: _try(pool, messages, companies, set(tried)),
        watch,
    )


async def settle_items(
    items: Sequence[Item],
    apply: Callable[[Mapping[Item, MessageError]], Awaitable[Result]],
    attempt: Callable[[Sequence[Item]], Awaitable[None]],
    watch: Watch | None = None,
) -> Result:
    """Apply some items; when that fails for the content of some of them, apply the others.

    `apply(refused)` applies the items and sets aside those that are refused; `attempt(items)` applies some of them and
    takes that back. Both raise what went wrong. An item that trips over a bug of ours is refused too: it can be
    replayed once that is mended, and until then it must not hold up the others. `watch` is told of each refusal as it
    is found; what it raises ends the whole, with nothing changed. Raises what asyncpg raises when the environment is to
    blame, and what `apply` raises when no item is.
    """
    refused: Mapping[Item, MessageError] = {}
    rounds = 0
    while True:
        try:
            return await apply(refused)
        except Exception as error:
            rounds += 1
            if _blames_environment(error) or rounds > _ROUNDS:
                raise
            _report(error, len(items))
            refused = await sift(items, trial_of(attempt), watch)


def trial_of(attempt: Callable[[Sequence[Item]], Awaitable[None]]) -> Trial[Item]:
    """Return a trial for `sift` from what applies some items and takes that back, and raises what went wrong."""

    async def trial(part: Sequence[Item]) -> MessageError | None:
        try:
            await attempt(part)
        except Exception as error:
            if _blames_environment(error):
                raise
            # The error's text may quote the item, so only its class is kept.
            reason = "refused_by_database" if isinstance(error, DATA_ERRORS) else "internal_error"
            return MessageError(reason, type(error).__name__)
        return None

    return trial


async def rehearse(pool: Pool, messages: Sequence[ReadMessage], companies: Companies, watch: Watch) -> None:
    """Tell `watch` why callbacks would be refused; keep nothing. Raises what it raises, and what asyncpg does."""
    receipts = [callback.receipt for message in messages for callback in message.callbacks]
    await sift(receipts, trial_of(lambda tried: _try(pool, messages, companies, set(tried))), watch)


def _blames_environment(error: Exception) -> bool:
    return isinstance(error, POSTGRES_ERRORS) and not isinstance(error, DATA_ERRORS)


def _report(error: Exception, items: int) -> None:
    """Log what went wrong, and where. Not the error's text: it may quote the item."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno}" for frame in frames[-3:]]
    log.error("apply.batch_refused", error=type(error).__name__, where=where, items=items)


async def _apply(
    pool: Pool,
    messages: Sequence[ReadMessage],
    companies: Companies,
    refused: Mapping[Receipt, MessageError],
    *,
    elsewhere: Set[UUID] = frozenset(),
    announce: int = 0,
) -> Settled:
    async def work(mirror: Mirror) -> Settled:
        return await apply_messages(mirror, messages, companies, refused, elsewhere=elsewhere, announce=announce)

    company_keys = [message.message.company_key for message in messages]
    while True:
        with suppress(AppliedElsewhereError):
            async with pool.acquire() as connection:
                settled = await write_mirror(connection, company_keys, work)
            for labels, count in settled.set_aside.items():
                metrics.DEAD_LETTERS.labels(*labels).inc(count)
            return settled


class _TrialPassed(Exception):  # noqa: N818 - not an error: it ends a trial's transaction without a trace
    pass


async def _try(pool: Pool, messages: Sequence[ReadMessage], companies: Companies, receipts: set[Receipt]) -> None:
    """Apply those callbacks, and roll that back."""
    parts = [
        replace(message, callbacks=tuple(item for item in message.callbacks if item.receipt in receipts))
        for message in messages
    ]

    async def work(mirror: Mirror) -> None:
        await apply_messages(mirror, [part for part in parts if part.callbacks], companies, {})
        raise _TrialPassed

    # A message that somebody else deals with is no matter of its content.
    with suppress(_TrialPassed, AppliedElsewhereError):
        async with pool.acquire() as connection:
            await write_mirror(connection, [part.message.company_key for part in parts], work)


async def sift(
    items: Sequence[Item],
    trial: Trial[Item],
    watch: Watch | None = None,
) -> dict[Item, MessageError]:
    """Find the items to leave out so that the others pass the trial together.

    `trial(items)` returns why it fails, or None. Halves what fails, and tries each part together with all that has
    passed, so the result holds even if items fail only in company. Few trials when few are bad: about 2 log2(n) each.
    `watch`: see `settle_items`.
    """
    passed: list[Item] = []
    refused: dict[Item, MessageError] = {}

    async def sift_part(part: Sequence[Item]) -> None:
        problem = await trial([*passed, *part])
        if problem is None:
            passed.extend(part)
        elif len(part) == 1:
            refused[part[0]] = problem
            if watch is not None:
                watch(refused.values())
        else:
            middle = len(part) // 2
            await sift_part(part[:middle])
            await sift_part(part[middle:])

    if items:
        await sift_part(items)
    return refused


async def settle_refused(pool: Pool, message: ReadMessage, companies: Companies, problem: MessageError) -> Settled:
    """Set all callbacks of a message aside as dead letters, unless it was applied before."""
    return await _apply(pool, [message], companies, {callback.receipt: problem for callback in message.callbacks})
