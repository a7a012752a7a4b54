"""Fixtures of the specifications of erasure."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.postgres import create_pool
from tests.integration.erasure.world import World
from tests.integration.person_sync.vibes_stand_in import VibesStandIn, run_vibes


@pytest.fixture
async def vibes() -> AsyncIterator[VibesStandIn]:
    async with run_vibes() as stand_in:
        yield stand_in


@pytest.fixture
async def world(database_url: str, vibes: VibesStandIn, tmp_path: Path) -> AsyncIterator[World]:
    async with create_pool(database_url, "test", min_size=0, max_size=6) as pool:
        yield World(pool, database_url, vibes, tmp_path)
