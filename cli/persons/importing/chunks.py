"""Rows that are published together. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from cli.persons.importing.judging import Refusal
from cli.persons.importing.lines import UnreadableError
from cli.persons.importing.rows import Row
from schemas.crm_change import CrmChange

CHUNK_ROWS = 500
CHUNK_BYTES = 1024 * 1024 - 4096
"""A MiB, less what a message has beside its changes."""
_AROUND = 100
"""Bytes of a change's JSON beside its id and its fields."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of the file, in order: what is to be published of them, and which is the last one."""

    last_row: int
    changes: Sequence[CrmChange] = field(repr=False)
    """Of the accepted rows that were not published before; perhaps none."""


def chunks(
    rows: Iterable[Row],
    judge: Callable[[Row], CrmChange | Refusal],
    count: Callable[[CrmChange | Refusal], None],
    after_row: int = 0,
    most_rows: int = CHUNK_ROWS,
) -> Iterator[Chunk]:
    """Judge the rows and give them in chunks of at most that many rows and CHUNK_BYTES of JSON.

    Rows up to `after_row` were published before: they are judged and counted again, so that the numbers and the report
    are those of the whole file, and not published. Raises UnreadableError after the last row that could be read.
    """
    changes: list[CrmChange] = []
    size = number = begun = 0
    try:
        for row in rows:
            outcome = judge(row)
            count(outcome)
            if isinstance(outcome, CrmChange) and row.number > after_row:
                more = json_size(outcome)
                if size + more > CHUNK_BYTES:
                    yield Chunk(number, changes)
                    changes, size, begun = [], 0, number
                changes.append(outcome)
                size += more
            number = row.number
            if number - begun >= most_rows:
                yield Chunk(number, changes)
                changes, size, begun = [], 0, number
    except UnreadableError:
        # What could be read is good.
        yield Chunk(number, changes)
        raise
    yield Chunk(number, changes)


def json_size(change: CrmChange) -> int:
    """Return about how many bytes a change takes in a message, rather too many."""
    return len(orjson.dumps((change.external_person_id, change.fields))) + _AROUND
