"""Compare what is in the database with the ledger of the history."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime.postgres import Connection, statement
from simulator.history.ledger import Totals


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


async def compare(connection: Connection, company_key: str, totals: Totals) -> list[Figure]:
    """Return what the ledger tells beside what the database has: callbacks, events by type, persons, stays by list.

    Reads all events of the company once. Raises what asyncpg raises.
    """
    account = await connection.fetchrow(statement("history_account"), company_key)
    assert account is not None  # noqa: S101 - an aggregate without groups has one row
    figures = [
        Figure("callbacks applied", totals.deliveries - totals.duplicates, account["applied"]),
        Figure("duplicates", totals.duplicates, account["duplicates"]),
        Figure("not applied", 0, account["quarantined"] + account["dead_lettered"]),
        Figure("persons", totals.persons, await connection.fetchval(statement("history_persons"), company_key)),
    ]
    figures += _side_by_side("events", totals.events, await connection.fetch(statement("history_events"), company_key))
    stays = await connection.fetch(statement("history_stays"), company_key)
    return figures + _side_by_side("stays", totals.stays, stays)


def _side_by_side(what: str, told: Mapping[str, int], rows: list[Any]) -> list[Figure]:
    found = {row["name"]: row["count"] for row in rows}
    names = sorted({*told, *found})
    return [Figure(f"{what}: {name}", told.get(name, 0), found.get(name, 0)) for name in names]
