"""What one apply transaction does: claim, mark, fold, request syncs, log, set aside, record."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID

import orjson

from runtime.companies import Companies
from runtime.postgres import statement
from schemas.callbacks.events import Event
from schemas.callbacks.types import CallbackType
from schemas.errors import MessageError
from schemas.person_due import PersonDue
from schemas.values import loggable
from workers.apply.marks import Mark, mark_events
from workers.apply.reading import Outcome, ReadCallback, ReadMessage, Receipt
from workers.mirror import Mirror
from workers.sync_requests import request_after_subscription

_EVENT_COLUMNS = (
    "company_key",
    "callback_type",
    "event_id",
    "event_date",
    "received_at",
    "person_id",
    "person_key",
    "external_person_id",
    "list_id",
    "reason",
    "variant",
    "payload",
    "original_body",
    "endpoint",
    "message_id",
    "position",
)


class AppliedElsewhereError(Exception):
    """Another worker dealt with a message of the batch at the same time; try the batch again."""


@dataclass(slots=True)
class Settled:
    """What a transaction did."""

    outcomes: dict[Receipt, Outcome] = field(default_factory=dict)
    redelivered: int = 0
    """Messages that had been dealt with before, and were skipped."""
    counts: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    """How many callbacks of each company came to each outcome."""
    set_aside: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """How many dead letters there are of each company, stage and reason."""
    due: list[PersonDue] = field(default_factory=list)
    """Persons put into the outbox, to be announced."""


async def apply_messages(
    mirror: Mirror,
    messages: Sequence[ReadMessage],
    companies: Companies,
    refused: Mapping[Receipt, MessageError],
    *,
    elsewhere: Set[UUID] = frozenset(),
    announce: int = 0,
) -> Settled:
    """Apply the callbacks of some messages. `refused` are those the database has refused before: they are set aside.

    What another transaction may hold comes late, so that as much as possible is done before this one has to wait: first
    the events that are new for all we know, then those with one of the keys `elsewhere`, which another batch is
    claiming, and last the rows of persons, on which all transactions meet. `announce`: see `settle`.
    Every message leaves its row in callback_messages, and every callback one outcome. Raises AppliedElsewhereError, and
    what asyncpg raises.
    """
    fresh = await _skip_applied(mirror, messages)
    settled = Settled(redelivered=len(messages) - len(fresh))
    callbacks = list(chain.from_iterable(message.callbacks for message in fresh))
    set_aside = {
        callback.receipt: problem
        for callback in callbacks
        if (problem := callback.problem or (refused and refused.get(callback.receipt)) or None) is not None
    }
    unreadable = {callback.receipt for callback in callbacks if callback.problem is not None}
    for receipt in set_aside:
        settled.outcomes[receipt] = Outcome.QUARANTINED if receipt in unreadable else Outcome.DEAD_LETTERED
    good = [callback for callback in callbacks if callback.receipt not in set_aside] if set_aside else callbacks
    facts: list[Event] = []
    for part in _apart(good, elsewhere):
        claimed = await _claim(mirror, part, settled)
        marks = await mark_events(mirror.connection, [event for _, event, _ in claimed], companies)
        await _log_events(mirror, claimed, marks)
        facts += [event for (_, event, _), mark in zip(claimed, marks, strict=True) if mark is Mark.FACT]
    problems = [(callback, set_aside[callback.receipt]) for callback in callbacks if callback.receipt in set_aside]
    await _set_aside(mirror, problems)
    settled.set_aside.update((callback.company_key, _stage(callback), problem.reason) for callback, problem in problems)
    await _record(mirror, fresh, settled)
    await _apply_events(mirror, facts, companies, settled, announce=announce)
    return settled


async def apply_again(
    mirror: Mirror, callbacks: Sequence[ReadCallback], companies: Companies
) -> tuple[Settled, set[Receipt]]:
    """Apply callbacks that were set aside, each under the receipt it came with; return also which are about the erased.

    All of them can be read. What became of them is told, not kept. Raises what asyncpg raises.
    """
    settled = Settled()
    claimed = await _claim(mirror, callbacks, settled)
    told = [callback.event for callback in callbacks if callback.event is not None]
    marked = zip(callbacks, await mark_events(mirror.connection, told, companies), strict=True)
    marks = {callback.receipt: mark for callback, mark in marked}
    await _log_events(mirror, claimed, [marks[callback.receipt] for callback, _, _ in claimed])
    facts = [event for callback, event, _ in claimed if marks[callback.receipt] is Mark.FACT]
    await _apply_events(mirror, facts, companies, settled, announce=len(facts))
    return settled, {receipt for receipt, mark in marks.items() if mark is Mark.ERASED}


async def _skip_applied(mirror: Mirror, messages: Sequence[ReadMessage]) -> list[ReadMessage]:
    """Leave out what was applied before: the broker delivers a message again when its ack was lost."""
    by_id = {message.message.message_id: message for message in messages}
    rows = await mirror.connection.fetch(statement("find_applied_messages"), list(by_id))
    for row in rows:
        del by_id[row["message_id"]]
    return list(by_id.values())


def _apart(callbacks: list[ReadCallback], elsewhere: Set[UUID]) -> list[list[ReadCallback]]:
    """Return those another batch is claiming as well apart from the others, and last."""
    if not elsewhere:
        return [callbacks]
    parts: tuple[list[ReadCallback], list[ReadCallback]] = ([], [])
    for callback in callbacks:
        parts[callback.event is not None and callback.event.key in elsewhere].append(callback)
    return [part for part in parts if part]


async def _claim(
    mirror: Mirror, callbacks: Iterable[ReadCallback], settled: Settled
) -> list[tuple[ReadCallback, Event, bool]]:
    """Return the callbacks that are to be applied, and whether each is a variant; the others are duplicates."""
    claimed: list[tuple[ReadCallback, Event, bool]] = []
    for round_ in _rounds(callbacks, settled):
        rows = await mirror.connection.fetch(
            statement("claim_callbacks"),
            list(round_),
            [event.body.hash for _, event in round_.values()],
            [callback.received.received_at for callback, _ in round_.values()],
        )
        variants: dict[UUID, bool] = dict(map(tuple, rows))
        for key, (callback, event) in round_.items():
            variant = variants.get(key)
            if variant is None:
                settled.outcomes[callback.receipt] = Outcome.DUPLICATE
            else:
                claimed.append((callback, event, variant))
                settled.outcomes[callback.receipt] = Outcome.APPLIED
    return claimed


def _rounds(callbacks: Iterable[ReadCallback], settled: Settled) -> list[dict[UUID, tuple[ReadCallback, Event]]]:
    """Spread the events over rounds with each key once: nearly always one round, more where there are variants.

    An event that the batch holds twice is a duplicate.
    """
    rounds: list[dict[UUID, tuple[ReadCallback, Event]]] = []
    for callback in callbacks:
        assert callback.event is not None  # noqa: S101 - those without were set aside
        event = callback.event
        item = (callback, event)
        for round_ in rounds:
            first = round_.setdefault(event.key, item)
            if first is item:
                break
            if first[1].body.hash == event.body.hash:
                settled.outcomes[callback.receipt] = Outcome.DUPLICATE
                break
        else:
            rounds.append({event.key: item})
    return rounds


async def _apply_events(
    mirror: Mirror, events: Sequence[Event], companies: Companies, settled: Settled, *, announce: int
) -> None:
    """Fold the events' facts into the mirror, company by company, and request the syncs that follow from them."""
    by_company: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_company[event.company_key].append(event)
    for company_key, told in sorted(by_company.items()):
        person_uids = await mirror.store(company_key, list(chain.from_iterable(event.facts for event in told)))
        subscribed = {
            person_uids[fact.person]: loggable(event.event_id)
            for event in told
            if event.callback_type is CallbackType.SUBSCRIPTION_ADDED
            for fact in event.facts
        }
        company = companies.get(company_key)
        if company is not None:
            room = max(0, announce - len(settled.due))
            event_ids = {person_uid: event_id for person_uid, event_id in subscribed.items() if event_id}
            settled.due += await request_after_subscription(
                mirror.connection, company, subscribed, announce=room, event_ids=event_ids
            )


async def _log_events(
    mirror: Mirror, claimed: Sequence[tuple[ReadCallback, Event, bool]], marks: Sequence[Mark]
) -> None:
    if claimed:
        rows = [_event_row(*item, mark) for item, mark in zip(claimed, marks, strict=True)]
        await mirror.connection.copy_records_to_table("callback_events", columns=_EVENT_COLUMNS, records=rows)


def _event_row(callback: ReadCallback, event: Event, variant: bool, mark: Mark) -> tuple[Any, ...]:
    callback_type = mark.value or event.callback_type.value
    told: tuple[Any, ...]
    if mark is Mark.ERASED:
        told = (None, None, None, None, None, variant, "{}", None)
    else:
        told = (
            event.person_id,
            event.person_key,
            event.external_person_id,
            event.list_id,
            event.reason,
            variant,
            event.body.text,
            None if event.body.exact else callback.received.body,
        )
    return (
        event.company_key,
        callback_type,
        event.event_id,
        event.event_date,
        callback.received.received_at,
        *told,
        callback.received.endpoint,
        *callback.receipt,
    )


async def _set_aside(mirror: Mirror, problems: Sequence[tuple[ReadCallback, MessageError]]) -> None:
    if problems:
        rows = [_dead_letter_row(callback, problem) for callback, problem in problems]
        columns = [list(column) for column in zip(*rows, strict=True)]
        await mirror.connection.execute(statement("insert_dead_letters"), *columns)


def _dead_letter_row(callback: ReadCallback, problem: MessageError) -> tuple[Any, ...]:
    unread = callback.event is None
    received = callback.received
    return (
        callback.company_key,
        "quarantined" if unread else "dead_lettered",
        _stage(callback),
        problem.reason,
        problem.detail or None,
        received.body,
        callback.event.callback_type.value if callback.event else None,
        callback.event.event_id if callback.event else None,
        received.received_at,
        received.source_ip,
        received.method,
        received.endpoint,
        orjson.dumps(received.headers).decode(),
        *callback.receipt,
    )


def _stage(callback: ReadCallback) -> str:
    return "decode" if callback.event is None else "apply"


async def _record(mirror: Mirror, messages: Sequence[ReadMessage], settled: Settled) -> None:
    rows = [_message_row(message, settled) for message in messages]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        recorded = await mirror.connection.fetch(statement("insert_callback_messages"), *columns)
        if len(recorded) < len(rows):
            raise AppliedElsewhereError


def _message_row(message: ReadMessage, settled: Settled) -> tuple[Any, ...]:
    told = "".join([settled.outcomes[callback.receipt].value for callback in message.callbacks])
    envelope = message.message
    counts = [told.count(outcome.value) for outcome in Outcome]
    for outcome, count in zip(Outcome, counts, strict=True):
        if count:
            settled.counts[envelope.company_key, outcome] += count
    return (
        envelope.message_id,
        envelope.company_key,
        envelope.ingest_id,
        envelope.acknowledged,
        envelope.callbacks[0].received_at if envelope.callbacks else datetime.now(UTC),
        told,
        *counts,
    )
