"""Which dead letters, and what one holds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from runtime.postgres import Connection, Pool, statement

WHOLE_MESSAGE = -1
"""Position of a dead letter that is a broker message as a whole."""
CRM_STAGE = "crm"
OPEN, REPLAYED, DISCARDED, ERASED = STATUSES = ("open", "replayed", "discarded", "erased")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters something is about. None: any."""

    company_key: str | None = None
    kind: str | None = None
    stage: str | None = None
    reason: str | None = None
    callback_type: str | None = None
    since: datetime | None = None
    """Set aside at that time or later."""
    until: datetime | None = None
    """Set aside before that time."""
    ids: tuple[int, ...] | None = None
    status: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether it leaves nothing out but by the status."""
        return replace(self, status=None) == Filter()

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The first arguments of the statements that take a filter."""
        return tuple(getattr(self, item.name) for item in fields(self))

    def to_json(self) -> str:
        """Return what was asked for, as it is kept with a run."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None}, default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        told = json.loads(text)
        for name in ("since", "until"):
            if name in told:
                told[name] = datetime.fromisoformat(told[name])
        if "ids" in told:
            told["ids"] = tuple(told["ids"])
        return cls(**told)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, with what is needed to apply it. What it holds stays out of the repr."""

    id: int
    company_key: str | None
    kind: str
    stage: str
    reason: str
    body: bytes = field(repr=False)
    callback_type: str | None
    event_id: str | None = field(repr=False)
    received_at: datetime | None
    source_ip: str | None
    method: str | None
    endpoint: str | None
    headers: Mapping[str, str] = field(repr=False)
    message_id: UUID | None
    position: int | None


@dataclass(frozen=True, slots=True)
class Sort:
    """Letters that failed alike, counted."""

    company_key: str | None
    status: str
    kind: str
    stage: str
    reason: str
    callback_type: str | None
    letters: int
    first_seen_at: datetime
    last_seen_at: datetime


async def count_letters(executor: "Connection | Pool", wanted: Filter) -> tuple[list[Sort], int]:
    """Return how many letters of each sort there are, and the greatest id (0: none). Raises what asyncpg raises."""
    rows = await executor.fetch(statement("dead_letters_count"), *wanted.arguments)
    names = [item.name for item in fields(Sort)]
    return [Sort(**{name: row[name] for name in names}) for row in rows], max(
        (row["greatest_id"] for row in rows), default=0
    )


async def next_letters(
    executor: "Connection | Pool", wanted: Filter, after_id: int, up_to_id: int, *, limit: int, max_bytes: int
) -> Sequence[Letter]:
    """Return the next letters in the order of their ids: at least one, if there is one. Raises what asyncpg raises."""
    rows = await executor.fetch(statement("dead_letters_next"), *wanted.arguments, after_id, up_to_id, limit, max_bytes)
    return [Letter(**{**row, "headers": json.loads(row["headers"])}) for row in rows]
