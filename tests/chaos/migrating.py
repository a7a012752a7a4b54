"""A database as a release before this one left it."""

import logging
import secrets
import shutil
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

import asyncpg
from pogo_core.util import migrate as pogo
from pogo_core.util import sql as pogo_sql

from deploy.local.postgres import LocalPostgres

_PARTITIONED_TABLES = ("callback_events", "person_api_calls")
_LOGGER = logging.getLogger(__name__)


def names() -> list[str]:
    """Return the names of all migrations, the oldest first."""
    return sorted(item.name for item in files("schemas").joinpath("sql", "migrations").iterdir() if item.name[0] == "0")


async def database_missing(postgres: LocalPostgres, newest: int) -> str:
    """Create a database without the newest migrations; returns its URL."""
    url = postgres.create_database(f"vibes_{secrets.token_hex(4)}")
    await apply_some(url, len(names()) - newest)
    return url


async def apply_some(url: str, count: int) -> None:
    """Apply the oldest `count` migrations, as far as they are not applied, and make partitions."""
    connection = await asyncpg.connect(url)
    try:
        await pogo_sql.ensure_pogo_sync(connection)
        with as_file(files("schemas").joinpath("sql", "migrations")) as whole, tempfile.TemporaryDirectory() as some:
            for name in names()[:count]:
                shutil.copy(whole / name, some)
            await pogo.apply(connection, Path(some), schema_name="public", logger=_LOGGER)
        for table in _PARTITIONED_TABLES:
            await connection.execute("SELECT create_month_partitions($1, current_date, 13)", table)
    finally:
        await connection.close()


async def missing(url: str) -> int:
    """Return how many migrations a database lacks."""
    connection = await asyncpg.connect(url)
    try:
        return len(names()) - len(await pogo_sql.get_applied_migrations(connection, schema_name="public"))
    finally:
        await connection.close()
