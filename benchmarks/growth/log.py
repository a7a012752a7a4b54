"""PostgreSQL's log: when the next checkpoint is due, and what of some of it are whole pages."""

import asyncpg

from benchmarks.growth.interval import Limits

# A checkpoint is begun so early that it is done by the time max_wal_size is reached.
_LIMITS = """
SELECT
    pg_size_bytes(current_setting('max_wal_size')) / (1 + current_setting('checkpoint_completion_target')::float8),
    extract(epoch FROM current_setting('checkpoint_timeout')::interval)::float8
"""
_PAGE_BYTES = """
SELECT sum(fpi_size)::bigint
FROM pg_get_wal_stats('0/0'::pg_lsn + $1::numeric, least('0/0'::pg_lsn + $2::numeric, pg_current_wal_flush_lsn()))
"""


async def limits(database_url: str) -> Limits:
    """Return how far apart checkpoints are by the server's settings."""
    connection = await asyncpg.connect(database_url)
    try:
        (row,) = await connection.fetch(_LIMITS)
        return Limits(*row)
    finally:
        await connection.close()


async def checkpoint(database_url: str) -> None:
    """Have the server make a checkpoint now."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def page_bytes(database_url: str, log: tuple[int, int]) -> int | None:
    """Return how many bytes of a part of the log are whole pages; None where pg_walinspect is not to be had.

    The part must not be so old that the server has removed it.
    """
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
        return int(await connection.fetchval(_PAGE_BYTES, *log))
    except (asyncpg.UndefinedFileError, asyncpg.FeatureNotSupportedError, asyncpg.InsufficientPrivilegeError):
        return None
    finally:
        await connection.close()
