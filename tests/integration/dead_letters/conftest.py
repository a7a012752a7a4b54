"""Fixtures of the specifications of dead letters."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.postgres import create_pool
from tests.integration.dead_letters.world import World


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with create_pool(database_url, "test", min_size=0, max_size=6) as pool:
        yield World(pool, database_url, tmp_path)
