"""Connections to PostgreSQL, and which of its errors blame the data."""

from functools import cache
from importlib.resources import files
from typing import TypeAlias

import asyncpg

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

DATA_ERRORS = (
    asyncpg.DataError,
    asyncpg.exceptions._base.DataError,  # noqa: SLF001 - what asyncpg raises when it cannot encode an argument
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""Errors caused by the values of a statement: trying again unchanged cannot help."""

POSTGRES_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # also of a query between the server's farewell and the end of the connection
    OSError,
    TimeoutError,
)
"""Every way a statement can fail. Those that are no DATA_ERRORS blame the environment: the server is away, full,
read-only, out of connections, not migrated, or chose this transaction to end a deadlock."""

_CONNECT_SECONDS = 5.0


_BY_KEY = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
"""For sessions whose every statement looks rows up by their keys: each is planned once, and not by what a table held
then. On a new database PostgreSQL takes all tables for empty until it has analysed them, and would read all of a table
to find a row, in ever longer time, for a minute or more."""


def create_pool(database_url: str, process: str, *, min_size: int, max_size: int, by_key: bool = False) -> Pool:
    """Return a pool, not yet connected: use it with `async with`, or await it. With a `min_size` of 0 that cannot fail.

    Times are exchanged in UTC; `jit` is off because our statements are short and its start costs more than they do.
    `by_key`: every statement looks rows up by their keys.
    """
    return asyncpg.create_pool(
        database_url,
        min_size=min_size,
        max_size=max_size,
        timeout=_CONNECT_SECONDS,
        command_timeout=60.0,
        server_settings={
            "application_name": f"vibes-pipeline {process}",
            "jit": "off",
            "timezone": "UTC",
            **(_BY_KEY if by_key else {}),
        },
    )


@cache
def statement(name: str) -> str:
    """Return the text of `schemas/sql/statements/{name}.sql`."""
    return files("schemas").joinpath("sql", "statements", f"{name}.sql").read_text(encoding="utf-8")
