"""Set aside broker messages: those whose envelope cannot be read, and those the broker has given up delivering."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import structlog
from aio_pika.abc import AbstractIncomingMessage

from runtime import metrics
from runtime.companies import Companies
from runtime.postgres import Pool, statement
from schemas.broker_message import decode
from schemas.errors import MessageError
from workers.apply.batches import Message
from workers.apply.crm_reading import read_changes
from workers.apply.crm_settle import refuse_changes
from workers.apply.reading import countries, read_message
from workers.apply.settle import settle_refused
from workers.apply.transaction import Settled

log = structlog.get_logger()

_WHOLE_MESSAGE = -1
"""Position of a dead letter that is a broker message as a whole."""


async def set_aside_unreadable(pool: Pool, unreadable: Sequence[tuple[AbstractIncomingMessage, MessageError]]) -> None:
    """Keep broker messages whose envelope cannot be read, byte for byte. Raises what asyncpg raises."""
    if not unreadable:
        return
    rows = [_row(incoming, problem) for incoming, problem in unreadable]
    columns = [list(column) for column in zip(*rows, strict=True)]
    async with pool.acquire() as connection:
        await connection.execute(statement("insert_dead_letters"), *columns)
    for _, problem in unreadable:
        metrics.DEAD_LETTERS.labels("", _stage(problem), problem.reason).inc()
        log.error("apply.unreadable_envelope", reason=problem.reason, detail=problem.detail)


async def set_aside_undeliverable(pool: Pool, incoming: AbstractIncomingMessage, companies: Companies) -> Settled:
    """Keep what is in a message that was delivered too often, each callback or change of the CRM as a dead letter.

    A message of callbacks that was applied after all, with only its ack lost, is left alone; whether changes were
    applied is not known, and applying them again does no harm. Raises what asyncpg raises.
    """
    too_often = MessageError("delivery_limit", "delivered too often without being acknowledged")
    if (callbacks := _read(decode, incoming)) is not None:
        return await settle_refused(pool, read_message(callbacks, countries(companies)), companies, too_often)
    if (changes := _read(read_changes, incoming)) is not None:
        await refuse_changes(pool, changes.changes, companies, too_often)
    else:
        await set_aside_unreadable(pool, [(incoming, too_often)])
    return Settled()


def _read(read: Callable[[bytes], Message], incoming: AbstractIncomingMessage) -> Message | None:
    try:
        return read(incoming.body)
    except MessageError:
        return None


def _stage(problem: MessageError) -> str:
    return "delivery" if problem.reason == "delivery_limit" else "decode"


def _row(incoming: AbstractIncomingMessage, problem: MessageError) -> tuple[Any, ...]:
    try:
        message_id = UUID(incoming.message_id)
    except (TypeError, ValueError, AttributeError):
        message_id = None
    return (
        None,
        "dead_lettered",
        _stage(problem),
        problem.reason,
        problem.detail or None,
        incoming.body,
        None,
        None,
        incoming.timestamp,
        None,
        None,
        None,
        "{}",
        message_id,
        _WHOLE_MESSAGE,
    )
