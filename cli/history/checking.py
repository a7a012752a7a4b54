"""Compare what is in the database with the ledger of the history."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from runtime.postgres import Connection, statement
from simulator.history.history import History


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, as the ledger has it and as the database has it."""

    name: str
    ledger: int
    database: int

    @property
    def ok(self) -> bool:
        """Whether they agree."""
        return self.ledger == self.database


async def compare(connection: Connection, history: History) -> list[Figure]:
    """Return what the ledger tells beside what the database has: callbacks, events by type, persons, stays by list.

    Reads all events of the company once. Raises what asyncpg raises.
    """
    company_key, tally, db = history.spec.company_key, history.tally, history.db
    account = await connection.fetchrow(statement("history_account"), company_key)
    assert account is not None  # noqa: S101 - an aggregate without groups has one row
    figures = [
        Figure("callbacks applied", tally.deliveries - tally.duplicates, account["applied"]),
        Figure("duplicates", tally.duplicates, account["duplicates"]),
        Figure("not applied", 0, account["quarantined"] + account["dead_lettered"]),
        Figure("persons", len(db.persons), await connection.fetchval(statement("history_persons"), company_key)),
    ]
    figures += _side_by_side("events", tally.events, await connection.fetch(statement("history_events"), company_key))
    stays = await connection.fetch(statement("history_stays"), company_key)
    told = Counter((stay.list_id, stay.opt_out_reason) for stay in db.stays)
    named = Counter({f"{list_id} {reason or 'subscribed'}": count for (list_id, reason), count in told.items()})
    return figures + _side_by_side("stays", named, stays)


def _side_by_side(what: str, told: Counter[str], rows: list[Any]) -> list[Figure]:
    found = {row["name"]: row["count"] for row in rows}
    return [Figure(f"{what}: {name}", told[name], found.get(name, 0)) for name in sorted({*told, *found})]
