"""A year of history in a database, and the contract, examples and explanations of the views made for analysts."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from runtime.postgres import Connection, Pool, statement
from simulator.history.delivery import Delivery
from simulator.history.history import History
from simulator.history.spec import HistorySpec
from tests.support.history import fill_history

COMPANY = "acme"
BEGIN, UNTIL = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
_DIRECTORY = files("schemas") / "analytics"


@dataclass(frozen=True, slots=True)
class Example:
    """A question an analyst may ask of a view, and the query that answers it."""

    view: str
    question: str
    query: str


def contract() -> dict[str, Any]:
    """Return the version, and the columns of each view with their types."""
    return dict(json.loads((_DIRECTORY / "contract.json").read_text()))


def pinned_digests() -> dict[str, str]:
    """Return what the columns of each version came to, by version."""
    return dict(json.loads((_DIRECTORY / "versions.json").read_text()))


def digest(views: dict[str, dict[str, str]]) -> str:
    """Return what the names, columns and types come to; the order of columns counts, that of views does not."""
    told = json.dumps({name: list(columns.items()) for name, columns in sorted(views.items())})
    return hashlib.sha256(told.encode()).hexdigest()


def examples() -> Iterator[Example]:
    """Yield one for each view, in the order of the contract."""
    for view in contract()["views"]:
        question, query = (_DIRECTORY / "examples" / f"{view}.sql").read_text().split("\n", 1)
        yield Example(view, question.removeprefix("-- "), query.strip())


async def fill(pool: Pool, events: int, note: Callable[[Delivery], None] | None = None) -> History:
    """Have a history of the year 2024 applied, late and repeated deliveries included, and added up."""
    history = History(HistorySpec(COMPANY, BEGIN, UNTIL, events, duplicate_ratio=0.1), note)
    await fill_history(pool, history)
    await roll_up(pool)
    return history


async def roll_up(connection: "Connection | Pool") -> None:
    """Add up everything that has changed."""
    while await connection.fetchval(statement("analytics_roll_up"), 50_000):
        pass
