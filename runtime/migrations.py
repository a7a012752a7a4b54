"""Bring a database up to this release's schema: the plain SQL files of schemas/sql/migrations, run by pogo-core."""

import asyncio
import logging
from datetime import UTC, datetime
from importlib.resources import as_file, files

from pogo_core.util import migrate as pogo
from pogo_core.util import sql as pogo_sql

from runtime.postgres import connect
from runtime.schema import check_schema

_LOCK_KEY = 7_214_356_917_038
"""Any number will do, as long as all releases use the same."""

_PARTITIONED_TABLES = ("callback_events", "person_api_calls")
_MONTHS_AHEAD = 13

logger = logging.getLogger(__name__)


async def migrate(database_url: str) -> list[str]:
    """Apply the migrations that are missing, create the partitions of the coming year, and grant the roles access.

    Safe when several processes do it at once: they take turns, and the later ones find nothing to do. Each migration
    is one transaction. Returns the names of those applied. Raises what asyncpg raises.
    """
    connection = await connect(database_url, "migrate")
    try:
        # A session lock, not a transaction's: some migrations may have to run outside a transaction.
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        await pogo_sql.ensure_pogo_sync(connection)
        before = await pogo_sql.get_applied_migrations(connection, schema_name="public")
        with as_file(files("schemas").joinpath("sql", "migrations")) as directory:
            await pogo.apply(connection, directory, schema_name="public", logger=logger)
        after = await pogo_sql.get_applied_migrations(connection, schema_name="public")
        for table in _PARTITIONED_TABLES:
            await connection.execute(
                "SELECT create_month_partitions($1, $2, $3)", table, datetime.now(UTC).date(), _MONTHS_AHEAD
            )
        await connection.execute("SELECT grant_access()")
        return sorted(after - before)
    finally:
        await asyncio.wait_for(connection.close(), timeout=10)


async def later_migrations(database_url: str) -> list[str]:
    """Return the migrations of a migrated database that only a later release has. Raises what asyncpg raises."""
    connection = await connect(database_url, "migrate")
    try:
        return await check_schema(connection)
    finally:
        await asyncio.wait_for(connection.close(), timeout=10)
