"""A scripted server, a watch and a client for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import RawTestServer

from tests.integration.vibes_api.scripted import Vibes, Watch
from vibes_api import RetryPolicy, VibesClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def vibes() -> AsyncIterator[Vibes]:
    server = Vibes()
    async with RawTestServer(server.handle) as http:
        server.url = str(http.make_url("/"))
        yield server
        server.closing.set()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def client(vibes: Vibes, watch: Watch) -> AsyncIterator[VibesClient]:
    retry = RetryPolicy(attempts=3, sleep=watch.sleep)
    async with VibesClient(
        vibes.url, "comp 1", "me@example.com", "pä:ss", retry=retry, limiter=watch, observer=watch, timeout=5
    ) as opened:
        yield opened
