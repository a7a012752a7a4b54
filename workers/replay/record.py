"""Keep what came of dead letters, in the transaction that did it: on them, in their history, in the audit's figures."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from runtime.postgres import Connection, statement
from workers.apply.reading import Outcome as CallbackOutcome
from workers.apply.reading import Receipt
from workers.replay.results import Outcome, Result

Found = Mapping[int, Mapping[str, Any]]
"""The letters as they were found, by id: what `dead_letters_lock` returns."""


async def lock_letters(connection: Connection, ids: Sequence[int], status: str) -> Found:
    """Lock those letters that still have that status, until the transaction ends. Raises what asyncpg raises."""
    rows = await connection.fetch(statement("dead_letters_lock"), ids, status)
    return {row["id"]: dict(row) for row in rows}


async def keep_results(
    connection: Connection, run_id: UUID, requested_by: str, found: Found, results: Mapping[int, Result]
) -> None:
    """Keep what came of replaying some letters, which are locked. Raises what asyncpg raises."""
    if not results:
        return
    told = [
        (
            number,
            result.outcome.value,
            result.kind,
            result.stage,
            result.reason,
            result.detail,
            result.callback_type,
            result.event_id,
        )
        for number, result in sorted(results.items())
    ]
    await connection.execute(statement("dead_letters_settle"), *_columns(told), requested_by)
    await add_history(connection, run_id, found, results)


async def add_history(connection: Connection, run_id: UUID, found: Found, results: Mapping[int, Result]) -> None:
    """Add to the history of some letters what came of them. Raises what asyncpg raises."""
    rows = []
    for number, result in sorted(results.items()):
        before = found[number]
        detail = None if result.outcome is Outcome.ERASED else before["detail"]
        why = (result.stage, result.reason, result.detail)
        rows.append((number, result.outcome.value, before["stage"], before["reason"], detail, *why))
    if rows:
        await connection.execute(statement("dead_letters_history_add"), run_id, *_columns(rows))


async def change_outcomes(connection: Connection, outcomes: Mapping[Receipt, CallbackOutcome]) -> None:
    """Tell `callback_messages`, and so the audit, what has become of some callbacks. Raises what asyncpg raises."""
    by_message: defaultdict[UUID, dict[int, str]] = defaultdict(dict)
    for (message_id, position), outcome in outcomes.items():
        by_message[message_id][position] = outcome.value
    if not by_message:
        return
    rows = []
    for row in await connection.fetch(statement("dead_letters_find_outcomes"), list(by_message)):
        changed = changed_letters(row["outcomes"], by_message[row["message_id"]])
        if changed != row["outcomes"]:
            rows.append((row["message_id"], changed, *(changed.count(outcome.value) for outcome in CallbackOutcome)))
    if rows:
        await connection.execute(statement("dead_letters_change_outcomes"), *_columns(rows))


def changed_letters(outcomes: str, changes: Mapping[int, str]) -> str:
    """Return the letters of `callback_messages.outcomes` with some of them changed, by their positions."""
    letters = list(outcomes)
    for position, letter in changes.items():
        if 0 <= position < len(letters):
            letters[position] = letter
    return "".join(letters)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
