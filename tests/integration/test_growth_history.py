"""The long history of the growth benchmark: the rows that so many events would have left, ready to be read."""

import asyncpg

from benchmarks.growth.history import CHANGED, INDEXED, make_history, persons_of
from benchmarks.growth.warm import warm

EVENTS = 2_000
BUFFERED = """
SELECT c.relname, count(*) FILTER (WHERE b.relfilenode IS NOT NULL) * 8192 >= pg_relation_size(c.oid) AS is_whole
FROM pg_class AS c
LEFT JOIN pg_buffercache AS b
    ON b.relfilenode = pg_relation_filenode(c.oid) AND b.relforknumber = 0
    AND b.reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
WHERE c.relname = ANY ($1)
GROUP BY c.oid, c.relname
"""


async def test_a_history_has_rows_in_every_table_and_what_apply_reads_of_it_is_in_the_buffers(
    database_url: str,
) -> None:
    await make_history(database_url, EVENTS)

    loaded = await warm(database_url, INDEXED, CHANGED)

    connection = await asyncpg.connect(database_url)
    try:
        rows = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in INDEXED}  # noqa: S608 - names of ours
        sizes = [await connection.fetchval("SELECT pg_relation_size($1::text::regclass)", table) for table in CHANGED]
        await connection.execute("CREATE EXTENSION pg_buffercache")
        found = await connection.fetch(BUFFERED, [*CHANGED, "callback_ledger_pkey", "persons_person_key"])
    finally:
        await connection.close()
    assert rows["callback_events"] == rows["callback_ledger"] == EVENTS
    assert rows["persons"] == persons_of(EVENTS)
    assert all(rows.values())
    assert loaded is not None
    assert loaded > sum(sizes)
    assert len(found) == len(CHANGED) + 2
    assert [row["relname"] for row in found if not row["is_whole"]] == []
