"""What of the schema has to be as it was after a load: all that is declared of some tables, but for their rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.local.errors import ServiceError
from runtime.postgres import Connection

_DECLARED = """
SELECT 'index ' || schemaname || '.' || tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'constraint ' || conname || ' of ' || conrelid::regclass, pg_get_constraintdef(oid) || ' ' || convalidated
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT
    'table ' || oid::regclass,
    concat_ws(' ', relpersistence, reloptions, pg_get_expr(relpartbound, oid), pg_get_partkeydef(oid))
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
UNION ALL
SELECT 'invalid index', indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid OR NOT indisready
ORDER BY 1, 2
"""

# ONLY would leave a partitioned table's index without those of the partitions.
_INDEXES = """
SELECT
    table_name,
    CASE WHEN c.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
         ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', table_name, c.conname) END AS drop,
    CASE WHEN c.oid IS NULL THEN replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
         ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', table_name, c.conname, pg_get_constraintdef(c.oid)) END
        AS create
FROM unnest($1::text[]) AS table_name
JOIN pg_index AS i ON i.indrelid = table_name::regclass
LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid
ORDER BY i.indexrelid
"""

Declared = list[tuple[str, str]]
"""What is declared, and how."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index, or a constraint that is one."""

    table: str
    drop: str
    create: str


async def declared(connection: Connection) -> Declared:
    """Return all tables, partitions, indexes and constraints, with their definitions."""
    return [tuple(row) for row in await connection.fetch(_DECLARED)]


async def drop_indexes(connection: Connection, tables: Sequence[str]) -> list[Index]:
    """Drop all indexes of some tables, and return what brings them back."""
    indexes = [Index(*row) for row in await connection.fetch(_INDEXES, list(tables))]
    for index in indexes:
        await connection.execute(index.drop)
    return indexes


async def require_same(connection: Connection, before: Declared) -> None:
    """Raise ServiceError when what is declared is not what it was."""
    now = await declared(connection)
    if different := sorted(set(before) ^ set(now)):
        raise ServiceError(
            f"after making rows the schema is not as migrated: {different[0]} and {len(different)} in all"
        )
