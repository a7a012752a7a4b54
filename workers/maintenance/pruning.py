"""Remove old rows of tables without partitions, some blocks at a time, with as long a pause after each as it took."""

import asyncio
import time
from datetime import datetime

from runtime.lifecycle import wait_or_stop
from runtime.postgres import Connection, statement

TABLES = ("callback_ledger", "callback_messages", "dead_letters")
_BLOCKS = 256
"""Some ten thousand rows: a transaction of a fraction of a second."""


async def count(connection: Connection, table: str, cutoff: datetime) -> int:
    """Return how many rows are older than `cutoff` and would be removed. Raises what asyncpg raises."""
    rows: int = await connection.fetchval(statement(f"count_old_{table}"), cutoff)
    return rows


async def prune(connection: Connection, table: str, cutoff: datetime, stop: asyncio.Event) -> int:
    """Remove what is older than `cutoff`; return how many rows. Reads the whole table. Ends early when `stop` is set.

    Vacuum makes the room usable again, as after any deletion. Raises what asyncpg raises.
    """
    blocks: int = await connection.fetchval(
        "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint", table
    )
    removed = 0
    for block in range(0, blocks, _BLOCKS):
        began = time.monotonic()
        # A tid is a tuple of block and row to asyncpg.
        status = await connection.execute(statement(f"prune_{table}"), (block, 0), (block + _BLOCKS, 0), cutoff)
        removed += int(status.split()[-1])
        if await wait_or_stop(stop, time.monotonic() - began):
            break
    return removed
