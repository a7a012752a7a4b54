"""What an error of PostgreSQL means, and what to do about it. Nothing of what a statement held is told."""

import asyncpg

from runtime.schema import NotMigratedError
from runtime.tls import describe_refusal

_POSTGRES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (asyncpg.InvalidAuthorizationSpecificationError, "check the user and the password in DATABASE_URL"),
    (asyncpg.InvalidCatalogNameError, "create that database, or correct its name in DATABASE_URL"),
    (
        asyncpg.InsufficientPrivilegeError,
        "make the user of DATABASE_URL a member of vibes_worker and run vibes-pipeline migrate, which grants that role "
        "what it needs (docs/security.md)",
    ),
    (
        (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError),
        "run: vibes-pipeline migrate",
    ),
    (asyncpg.TooManyConnectionsError, "raise max_connections, or run fewer processes"),
    (
        (asyncpg.ReadOnlySQLTransactionError, asyncpg.exceptions.TargetServerAttributeNotMatched),
        "DATABASE_URL leads to a standby, or writes are switched off: let it lead to the primary",
    ),
    (asyncpg.DiskFullError, "make room on the disk of the database"),
    (asyncpg.CannotConnectNowError, "nothing: it is starting or stopping"),
    (OSError, "see whether it runs, and whether DATABASE_URL leads to it"),
)
"""The messages of these errors name users, databases and tables, and never values."""


def postgres_trouble(error: BaseException) -> dict[str, str]:
    """Return an error of PostgreSQL, and what to do about it, as fields for a log line."""
    fields = {"error": type(error).__name__}
    if refusal := describe_refusal(error):
        return {**fields, "detail": refusal}
    if isinstance(error, NotMigratedError):
        return {**fields, "detail": str(error)}
    for kind, remedy in _POSTGRES:
        if isinstance(error, kind):
            return {**fields, "detail": _message(error), "remedy": remedy}
    return fields


def in_a_line(trouble: dict[str, str]) -> str:
    """Return such fields as a sentence."""
    said = trouble.get("detail") or trouble["error"]
    return "; ".join((said, trouble["remedy"])) if "remedy" in trouble else said


def _message(error: BaseException) -> str:
    """Return the first line: what follows in an error of asyncpg is the server's detail and hint."""
    return (str(error).splitlines() or [""])[0] or type(error).__name__
