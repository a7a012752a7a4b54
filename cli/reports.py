"""Gather what `audit` tells."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from cli.accounts import Account, HourAccount, PositionCheck, ReceiptCheck, balance, balance_hours
from cli.positions import Told, check_positions
from cli.services import postgres, queue_depths
from cli.span import Span
from runtime.postgres import Connection, statement
from runtime.settings import Settings

_RECEIPTS_A_QUERY = 5000
_LOOK_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Question:
    """What an audit is asked."""

    span: Span
    company_key: str | None = None
    """None: all companies."""
    receipts: Sequence[tuple[UUID, int]] | None = None
    """Callbacks to be looked up."""
    by_hour: bool = False
    by_id: bool = False
    """Look every callback of the span up."""


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit's finding."""

    ok: bool
    """Nothing is missing, or what is missing is still on its way; and every callback that was looked up is where it
    should be."""
    since: datetime | None
    until: datetime | None
    accounts: list[Account]
    missing: int
    """Acknowledged callbacks, and receipts, that were not dealt with."""
    in_flight: int
    """Of those, how many may be on their way: all, as long as messages wait."""
    difference: int
    """Of those, how many are not."""
    waiting_messages: int
    """Broker messages with callbacks that wait in the queues."""
    hours: list[HourAccount] | None
    receipts: ReceiptCheck | None
    positions: PositionCheck | None


async def gather_audit(settings: Settings, question: Question, settle_seconds: float, tell: Told) -> Audit:
    """Balance the accounts, and look callbacks up.

    Callbacks that an apply worker holds are in no queue and not yet in the database; so while some are missing, the
    audit looks again, for `settle_seconds` at most. `tell` is told how far the look at every callback is. Raises
    ServiceError when a service cannot be reached.
    """
    until = time.monotonic() + settle_seconds
    while True:
        audit = await _audit_once(settings, question)
        if audit.missing == 0 or time.monotonic() >= until:
            break
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    if not question.by_id:
        return audit
    async with postgres(settings) as connection:
        positions = await check_positions(connection, question.span, question.company_key, tell)
    return replace(audit, ok=audit.ok and not positions.inconsistent, positions=positions)


async def _audit_once(settings: Settings, question: Question) -> Audit:
    async with postgres(settings) as connection:
        # The queues first: what leaves them meanwhile is then found in the database.
        with_callbacks = {queue.name for queue in (*settings.topology.apply, settings.topology.dead_letters)}
        depths = await queue_depths(settings)
        waiting = sum(depth.messages or 0 for depth in depths if depth.queue in with_callbacks)
        accounts, hours = await _accounts(connection, question)
        check = await _check_receipts(connection, question.receipts) if question.receipts is not None else None
    missing = sum(account.missing for account in accounts) + (len(check.missing) if check else 0)
    inconsistent = len(check.inconsistent) if check else 0
    return Audit(
        ok=inconsistent == 0 and (missing == 0 or waiting > 0),
        since=question.span.since,
        until=question.span.until,
        accounts=accounts,
        missing=missing,
        in_flight=missing if waiting else 0,
        difference=0 if waiting else missing,
        waiting_messages=waiting,
        hours=hours,
        receipts=check,
        positions=None,
    )


async def _accounts(connection: Connection, question: Question) -> tuple[list[Account], list[HourAccount] | None]:
    span, company_key = question.span, question.company_key
    if not question.by_hour and span == Span():
        rows = await connection.fetch(statement("account_callbacks"), company_key)
        return balance(map(dict, rows)), None
    rows = await connection.fetch(statement("account_hours"), span.since, span.until, company_key)
    return balance_hours(map(dict, rows), span.covers)


async def _check_receipts(connection: Connection, receipts: Sequence[tuple[UUID, int]]) -> ReceiptCheck:
    check = ReceiptCheck()
    for start in range(0, len(receipts), _RECEIPTS_A_QUERY):
        part = receipts[start : start + _RECEIPTS_A_QUERY]
        rows = await connection.fetch(
            statement("account_receipts"), [receipt[0] for receipt in part], [receipt[1] for receipt in part]
        )
        for row in rows:
            check.add(dict(row))
    return check
