"""Fixtures of the reconciliation's specifications."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.integration.reconcile.world import World, serve_simulator
from tests.integration.simulator.world import Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.server.start_server(shutdown_timeout=0.1)
    yield receiver
    await receiver.server.close()


@pytest.fixture
async def start(
    receiver: Receiver, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Awaitable[World]]]:
    """Return what makes a world; its options are those of `serve_simulator` and of the company."""
    monkeypatch.setenv("PASSWORD", "secret")
    async with asyncpg.create_pool(database_url, min_size=1, max_size=6) as pool:
        opened = []

        async def start(rate: float = 1000.0, **simulator: Any) -> World:
            served = serve_simulator(receiver.url, **simulator)
            opened.append(served)
            world = World(pool, await served.__aenter__(), receiver, database_url, tmp_path / "companies.toml")
            world.write_companies(rate)
            return world

        yield start
        for served in opened:
            await served.__aexit__(None, None, None)


@pytest.fixture
async def world(start: Callable[..., Awaitable[World]]) -> World:
    return await start()
