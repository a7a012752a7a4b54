"""What was received about a person: the log, the dead letters, and the record of calls.

All in small transactions, each of which leaves the database right: an erasure that is cut short is simply run again.
With `keep` False each is rolled back: that is how a dry run counts.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from runtime.postgres import Connection, statement
from workers.erasure.identifiers import Identifiers
from workers.erasure.mentions import Matcher, Mention
from workers.erasure.request import add_count

_BLOCKS = 2048
"""Of the log (16 MB) a transaction reads."""
_LETTERS = 50
_CALLS = 1000

Progress = Callable[[int, int], None]
"""Told how many of how many blocks of the log have been read."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One pass over everything that was received."""

    connection: Connection
    company_key: str
    default_country: str | None
    erasure_id: UUID
    person: Identifiers
    erased_at: datetime
    keep: bool = True

    async def log(self, progress: Progress = lambda _done, _all: None) -> int:
        """Blank the person's events, partition by partition, some blocks at a time; return how many.

        Raises what asyncpg raises.
        """
        partitions = await self._partitions("callback_events")
        total, done, found = sum(blocks for _, blocks in partitions), 0, 0
        ids = (
            list(self.person.person_ids),
            list(self.person.person_keys),
            list(self.person.external_person_ids | self.person.crm_records),
            *_nested(self.person),
        )
        for partition, blocks in partitions:
            query = _for_partition("erasure_blank_events", "callback_events", partition)
            for first in range(0, blocks, _BLOCKS):
                places = ((first, 0), (first + _BLOCKS, 0))
                async with self._transaction():
                    blanked = _affected(
                        await self.connection.execute(query, *places, self.company_key, self.erased_at, *ids)
                    )
                    await self._count("callback_events", blanked)
                found += blanked
                done += min(_BLOCKS, blocks - first)
                progress(done, total)
        return found

    async def letters(self) -> int:
        """Empty the dead letters that are about the person; return how many. Raises what asyncpg raises."""
        matcher = Matcher(self.person, self.default_country)
        last, found = 0, 0
        while True:
            rows = await self.connection.fetch(
                statement("erasure_read_dead_letters"), self.company_key, self.erased_at, last, _LETTERS
            )
            if not rows:
                return found
            last = rows[-1]["id"]
            mentions = [(row["id"], matcher.look(row["body"], row["content_encoding"])) for row in rows]
            living = await self._living(mention for _, mention in mentions)
            about = [number for number, mention in mentions if _is_about(mention, living)]
            async with self._transaction():
                await self.connection.execute(statement("erasure_blank_dead_letters"), about)
                await self._count("dead_letters", len(about))
            found += len(about)

    async def notes(self) -> int:
        """Remove the notes about dead letters that name the person; return how many. Raises what asyncpg raises."""
        matcher = Matcher(self.person, self.default_country)
        rows = await self.connection.fetch(statement("erasure_read_notes"))
        naming = [row["run_id"] for row in rows if matcher.names(row["note"])]
        async with self._transaction():
            await self.connection.execute(statement("erasure_blank_notes"), naming)
            await self._count("dead_letter_runs", len(naming))
        return len(naming)

    async def calls(self) -> int:
        """Let the recorded calls be about nobody; return how many. Raises what asyncpg raises."""
        uids = self.person.sync_uids(self.company_key)
        found = 0
        for partition, _ in await self._partitions("person_api_calls"):
            query = _for_partition("erasure_blank_calls", "person_api_calls", partition)
            blanked = _CALLS
            while blanked == _CALLS:
                async with self._transaction():
                    blanked = _affected(await self.connection.execute(query, uids, _CALLS if self.keep else 2**40))
                    await self._count("person_api_calls", blanked)
                found += blanked
        return found

    async def _partitions(self, table: str) -> list[tuple[str, int]]:
        rows = await self.connection.fetch(statement("erasure_list_partitions"), table)
        return [(row["partition"], row["blocks"]) for row in rows]

    async def _living(self, mentions: Iterable[Mention]) -> set[tuple[str, str]]:
        ids = sorted({identity for mention in mentions for identity in mention.other_vibes_ids})
        if not ids:
            return set()
        rows = await self.connection.fetch(
            statement("find_identities"), self.company_key, [kind for kind, _ in ids], [value for _, value in ids]
        )
        return {(row["kind"], row["value"]) for row in rows}

    async def _count(self, table: str, rows: int) -> None:
        if self.keep:
            await add_count(self.connection, self.erasure_id, table, rows)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        async with transaction(self.connection, keep=self.keep):
            yield


@asynccontextmanager
async def transaction(connection: Connection, *, keep: bool) -> AsyncIterator[None]:
    """Run a transaction; without `keep` it is rolled back in the end."""
    current = connection.transaction()
    await current.start()
    try:
        yield
    except BaseException:
        await current.rollback()
        raise
    await (current.commit() if keep else current.rollback())


def _is_about(mention: Mention, living: set[tuple[str, str]]) -> bool:
    return mention.certain or (mention.likely and not mention.other_vibes_ids & living)


def _for_partition(name: str, table: str, partition: str) -> str:
    """Return a statement for one partition, whose name comes quoted from PostgreSQL."""
    return statement(name).replace(f"{table}_partition", partition)


def _nested(person: Identifiers) -> tuple[str, str]:
    """Return the ids and numbers as a payload may hold them, as texts and as numbers, and a pattern of all of them."""
    named = {
        "numbers": person.number_forms,
        "externals": person.external_person_ids | person.crm_records,
        "keys": person.person_keys,
        "ids": person.person_ids,
    }
    forms = {name: [form for one in sorted(values) for form in _typed(one)] for name, values in named.items()}
    # As jsonb is written: what JSON escapes stands escaped in a payload's text, too.
    written = {orjson.dumps(one).decode()[1:-1] for values in named.values() for one in values}
    pattern = "|".join(re.sub(r"([^\w])", r"\\\1", one) for one in sorted(written) if one)
    return orjson.dumps(forms).decode(), pattern or "$."


def _typed(text: str) -> list[str | int]:
    is_number = text.isascii() and text.isdigit() and not text.startswith("0") and len(text) < 19
    return [text, int(text)] if is_number else [text]


def _affected(command_tag: str) -> int:
    return int(command_tag.rpartition(" ")[2])
