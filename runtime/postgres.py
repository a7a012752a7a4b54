"""Connections to PostgreSQL, and which of its errors blame the data."""

import os
import ssl
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import asyncpg

from runtime.tls import client_context

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
_OURS = ("sslcert", "sslkey")
"""Parameters of a URL that name the certificate to show to the server, and its key."""


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
        ssl=system_trust(database_url),
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


async def connect(database_url: str, process: str, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
    """Open one connection; `options` are asyncpg's. Raises POSTGRES_ERRORS."""
    server_settings = {"application_name": f"vibes-pipeline {process}", **options.pop("server_settings", {})}
    return await asyncpg.connect(
        database_url, ssl=system_trust(database_url), server_settings=server_settings, **options
    )


def system_trust(database_url: str) -> ssl.SSLContext | None:
    """Return what verifies a server whose URL wants that (`sslmode`) and names no CA: the CAs of the system.

    None: the URL says it all. asyncpg would look for `~/.postgresql/root.crt` only, and refuse to connect without it.
    """
    query = {name: values[-1] for name, values in parse_qs(urlsplit(database_url).query).items()}
    mode = query.get("sslmode") or os.environ.get("PGSSLMODE", "")
    named = query.get("sslrootcert") or os.environ.get("PGSSLROOTCERT")
    if mode not in ("verify-ca", "verify-full") or named or _has_trust_of_its_own():
        return None
    context = client_context(
        None,
        *(Path(path) if (path := query.get(name) or os.environ.get(f"PG{name.upper()}")) else None for name in _OURS),
    )
    context.check_hostname = mode == "verify-full"
    context.set_alpn_protocols(["postgresql"])
    return context


def _has_trust_of_its_own() -> bool:
    """Whether the user has a file of trusted CAs where libpq, and asyncpg, look for it."""
    try:
        return os.access(Path.home() / ".postgresql" / "root.crt", os.R_OK)
    except RuntimeError:  # a user without a home, as a container may have
        return False


@cache
def statement(name: str) -> str:
    """Return the text of `schemas/sql/statements/{name}.sql`."""
    return files("schemas").joinpath("sql", "statements", f"{name}.sql").read_text(encoding="utf-8")
