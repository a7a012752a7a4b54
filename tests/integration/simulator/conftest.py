"""Fixtures: a receiver, and simulators that send to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from simulator.app import create_app
from tests.integration.simulator.world import Receiver, Vibes, config


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.server.start_server(shutdown_timeout=0.1)
    yield receiver
    receiver.released.set()
    await receiver.server.close()


@pytest.fixture
async def start(receiver: Receiver) -> AsyncIterator[Callable[..., Awaitable[Vibes]]]:
    servers: list[TestServer] = []
    async with aiohttp.ClientSession() as session:

        async def start(url: str | None = receiver.url, **more: Any) -> Vibes:
            server = TestServer(create_app(config(url, **more)))
            await server.start_server(shutdown_timeout=0.1)
            servers.append(server)
            return Vibes(server, session)

        yield start
        for server in servers:
            await server.close()


@pytest.fixture
async def vibes(start: Callable[..., Awaitable[Vibes]]) -> Vibes:
    return await start()
