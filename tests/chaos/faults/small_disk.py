"""A table on a disk of its own that can be filled to the last byte."""

import asyncio
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from tests.chaos.world import World

_ROOM_BYTES = 16 * 2**20
_BLOCK = bytes(8192)
_REFUSING = """
CREATE FUNCTION chaos_disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$
"""

Fill = Callable[[], Awaitable[object]]
"""Leaves no room at all."""


@asynccontextmanager
async def small_disk(world: World, table: str) -> AsyncIterator[Fill]:
    """Move a table to a small disk of its own; at the end make room there, and move it back.

    That takes the right to mount a file system. Without it a trigger refuses in the disk's place, with its error.
    """
    place = world.stack.directory / f"disk-{secrets.token_hex(4)}"
    size = (await world.sql("SELECT pg_total_relation_size($1::text::regclass) AS bytes", table))[0]["bytes"]
    if not _mounted(world, place, size + _ROOM_BYTES):
        async with _refusing(world, table) as refuse:
            yield refuse
        return
    name, ballast = place.name.replace("-", "_"), place / "ballast"
    try:
        await world.sql(f"CREATE TABLESPACE {name} LOCATION '{place}'")
        await world.sql(f"ALTER TABLE {table} SET TABLESPACE {name}")
        try:
            yield lambda: asyncio.to_thread(_fill, ballast)
        finally:
            ballast.unlink(missing_ok=True)
            await world.sql(f"ALTER TABLE {table} SET TABLESPACE pg_default")
            await world.sql(f"DROP TABLESPACE {name}")
    finally:
        await asyncio.to_thread(_run, "umount", str(place))


@asynccontextmanager
async def _refusing(world: World, table: str) -> AsyncIterator[Fill]:
    await world.sql(_REFUSING)
    try:
        yield lambda: world.sql(
            f"CREATE TRIGGER chaos_disk_full BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION chaos_disk_full()"
        )
    finally:
        await world.sql("DROP FUNCTION chaos_disk_full CASCADE")


def _mounted(world: World, place: Path, size: int) -> bool:
    """Mount a file system in memory that belongs to the server's account; tell whether that is permitted."""
    place.mkdir(mode=0o711)
    account = psutil.Process(world.postgres.pid).uids().real
    options = f"size={size},mode=711,uid={account}"
    if os.geteuid() != 0:
        return False
    return _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place))


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(_BLOCK):
                pass
        except OSError:  # no space left
            return
