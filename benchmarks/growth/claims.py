"""What it costs to claim a key in the ledger."""

import time
from datetime import UTC, datetime
from random import Random
from statistics import median
from uuid import UUID

import asyncpg

from runtime.postgres import Connection, statement

KEYS = 500
"""Of one statement, as in a full batch of callbacks; one in ten is there already."""
# Of the last pages, as what is repeated is mostly repeated soon.
_KNOWN = """
SELECT callback_key, body_hash
FROM callback_ledger
WHERE ctid >= (
    SELECT format(
        '(%s,0)',
        greatest(0, pg_relation_size('callback_ledger') / current_setting('block_size')::bigint - 1000)
    )::tid
)
LIMIT $1
"""


async def claim_cost(database_url: str, statements: int, seed: int) -> float:
    """Return the median microseconds a key of `claim_callbacks`, the way there and back included.

    Nothing is committed. Another `seed` claims other keys.
    """
    random = Random(seed)
    connection = await asyncpg.connect(database_url, server_settings={"jit": "off"})
    try:
        known = [tuple(row) for row in await connection.fetch(_KNOWN, statements * KEYS // 10)]
        costs = [await _claim(connection, random, known[number::statements]) for number in range(statements)]
    finally:
        await connection.close()
    return median(costs) / KEYS * 1e6


async def _claim(connection: Connection, random: Random, known: list[tuple[UUID, UUID]]) -> float:
    """Return the seconds of one statement."""
    fresh = [(_uuid(random), _uuid(random)) for _ in range(KEYS - len(known))]
    keys, hashes = zip(*fresh, *known, strict=True)
    now = datetime.now(UTC)
    transaction = connection.transaction()
    await transaction.start()
    try:
        began = time.perf_counter()
        await connection.fetch(statement("claim_callbacks"), keys, hashes, [now] * KEYS)
        return time.perf_counter() - began
    finally:
        await transaction.rollback()


def _uuid(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128))
