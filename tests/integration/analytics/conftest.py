"""A year of a made-up company, applied once for all tests that only read it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from deploy.local.postgres import PostgresServer
from runtime.postgres import Pool, create_pool
from simulator.model import JsonObject
from tests.support.data_dictionary import prepare
from tests.support.reckoning import Told


@dataclass(frozen=True, slots=True)
class Year:
    """A database with a year in it, and what the simulator told and knows."""

    url: str
    told: Told
    ledger: list[JsonObject]


@pytest.fixture(scope="session")
def year(postgres: PostgresServer, migrated_template: str) -> Iterator[Year]:
    name = f"vp_year_{secrets.token_hex(4)}"
    url = postgres.create_database(name, migrated_template)

    async def fill() -> Year:
        told = Told()
        async with create_pool(url, "test", min_size=1, max_size=4) as pool:
            history = await prepare(pool, told.note)
        return Year(url, told, list(history.ledger()))

    yield asyncio.run(fill())
    postgres.drop_database(name)


@pytest.fixture
async def pool(year: Year) -> AsyncIterator[Pool]:
    """Connections to the year."""
    async with create_pool(year.url, "test", min_size=1, max_size=2) as pool:
        yield pool
