"""What a server that has run has in its buffers already."""

from collections.abc import Sequence

import asyncpg

_PASSES = 3
"""A page that was read once gives way to those the history's making left behind; with the third pass all are there."""
_LOAD = """
WITH tables AS (
    SELECT name::regclass AS relation FROM unnest($1::text[]) AS name
    UNION
    SELECT relid FROM unnest($1::text[]) AS name CROSS JOIN pg_partition_tree(name::regclass)
)
SELECT coalesce(sum(pg_prewarm(relation)) * current_setting('block_size')::bigint, 0)::bigint
FROM (
    SELECT indexrelid::regclass FROM pg_index JOIN tables ON indrelid = relation
    UNION ALL
    SELECT name::regclass FROM unnest($2::text[]) AS name
) AS loaded (relation)
JOIN pg_class ON oid = relation AND relkind IN ('i', 'r')
"""


async def warm(database_url: str, indexed: Sequence[str], changed: Sequence[str]) -> int | None:
    """Load the indexes of some tables, and all of others, into the server's buffers; return how many bytes that are.

    A history that grew event by event has used these pages all the time, but one made at once has not: indexes are
    built past the buffers. None where the server has no pg_prewarm; nothing is loaded then.
    """
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        return [int(await connection.fetchval(_LOAD, indexed, changed)) for _ in range(_PASSES)][-1]
    except (asyncpg.UndefinedFileError, asyncpg.FeatureNotSupportedError, asyncpg.InsufficientPrivilegeError):
        return None
    finally:
        await connection.close()
