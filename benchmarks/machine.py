"""What the figures were measured on."""

import asyncio
import os
import platform
from typing import Any

import aio_pika
import asyncpg
import psutil

from deploy.local.services import Services

_POSTGRES_SETTINGS = ("fsync", "wal_level", "synchronous_commit", "shared_buffers", "max_wal_size", "wal_compression")
_MIB, _GIB = 2**20, 2**30


def shared_buffers() -> str:
    """Return what a PostgreSQL of this machine is given: a quarter of the memory, between 1 and 8 GB.

    As docs/performance.md advises.
    """
    quarter = psutil.virtual_memory().total // 4
    return f"{min(8 * _GIB, max(_GIB, quarter)) // _MIB}MB"


def describe(services: Services) -> dict[str, Any]:
    """Return cores, system, and the versions and settings of the running services."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **asyncio.run(_services(services.postgres.url, services.rabbitmq.amqp_url)),
    }


async def _services(postgres_url: str, amqp_url: str) -> dict[str, Any]:
    connection = await asyncpg.connect(postgres_url)
    try:
        version = await connection.fetchval("SHOW server_version")
        settings = {name: await connection.fetchval(f"SHOW {name}") for name in _POSTGRES_SETTINGS}
    finally:
        await connection.close()
    async with await aio_pika.connect(amqp_url) as broker:
        told = broker.transport.connection.server_properties if broker.transport else {}
        return {"postgres": version, "rabbitmq": str(told.get("version")), "settings": {"postgres": settings}}
