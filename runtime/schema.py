"""Whether a database has the schema that this release needs."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import structlog

from schemas.errors import ServiceError

if TYPE_CHECKING:
    from runtime.postgres import Connection, Pool

Executor: TypeAlias = "Pool | Connection"

log = structlog.get_logger()

_SUFFIX = ".sql"
_APPLIED = "SELECT migration_id FROM public._pogo_migration WHERE schema_name = 'public'"


class NotMigratedError(ServiceError):
    """The database lacks migrations of this release. Somebody may be about to run them."""


async def check_schema(executor: Executor) -> list[str]:
    """Return the migrations that only a later release has. Raises NotMigratedError naming what the database lacks.

    Later ones are fine: each leaves the release before it working (docs/upgrades.md). Who may not look what was applied
    is not kept from trying. Raises what asyncpg raises.
    """
    try:
        applied = {row["migration_id"] for row in await executor.fetch(_APPLIED)}
    except asyncpg.UndefinedTableError:
        applied = set()
    except asyncpg.InsufficientPrivilegeError:
        return []
    ours = our_migrations()
    if missing := sorted(ours - applied):
        raise NotMigratedError(f"the database lacks {', '.join(missing)}; run: vibes-pipeline migrate")
    return sorted(applied - ours)


async def require_schema(executor: Executor) -> None:
    """Raise as `check_schema` does; log later migrations, once."""
    if later := await check_schema(executor):
        _tell_later(", ".join(later))


@cache
def our_migrations() -> frozenset[str]:
    """Return the names of this release's migrations."""
    directory = files("schemas").joinpath("sql", "migrations")
    return frozenset(each.name.removesuffix(_SUFFIX) for each in directory.iterdir() if each.name.endswith(_SUFFIX))


@cache
def _tell_later(migrations: str) -> None:
    log.warning(
        "postgres.schema_is_newer",
        migrations=migrations,
        remedy="as it should be during an upgrade, and after going back by one release; otherwise deploy the release "
        "that has these migrations",
    )
