"""Whether a long history fits on the disk."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from benchmarks.growth.history import EVENTS_WITH_PAYLOAD
from deploy.local.errors import ServiceError

_BYTES_AN_EVENT, _WITHOUT_PAYLOAD = 1500, 850
"""With all that belongs to it, the indexes included."""
_ELSE_BYTES = 10 * 1024**3
"""For PostgreSQL's own log, which may grow beyond max_wal_size during a load, and for sorting."""
_GIB = 1024**3


def require_space(database_url: str, histories: Sequence[int]) -> None:
    """Raise ServiceError when the disk of the PostgreSQL server on this machine has no room for so many events.

    One that runs elsewhere, or does not tell where its data is, is trusted.
    """
    told = asyncio.run(_data_directory(database_url))
    directory = None if told is None else Path(told)
    if directory is None or not directory.exists():
        return
    needed = _ELSE_BYTES + sum(
        events * (_BYTES_AN_EVENT if events <= EVENTS_WITH_PAYLOAD else _WITHOUT_PAYLOAD) for events in histories
    )
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise ServiceError(
            f"{sum(histories):,} events take about {needed / _GIB:.0f} GiB, and the disk of {directory} has "
            f"{free / _GIB:.0f} GiB free: free some, set TMPDIR to a larger disk, or leave this benchmark out (--only, "
            f"--quick)"
        )


async def _data_directory(database_url: str) -> str | None:
    if urlsplit(database_url).hostname not in ("127.0.0.1", "localhost", "::1"):
        return None
    connection = await asyncpg.connect(database_url)
    try:
        return str(await connection.fetchval("SELECT current_setting('data_directory')"))
    except asyncpg.InsufficientPrivilegeError:
        return None
    finally:
        await connection.close()
