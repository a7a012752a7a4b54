"""A database with a history of five weeks, the last days of February 2024 and March; each test gets a copy."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.postgres import PostgresServer
from runtime.postgres import Connection, connect
from tests.support.exporting import fill

DAYS = 33
EVENTS = 2000


@pytest.fixture(scope="package")
def history_template(postgres: PostgresServer, migrated_template: str) -> Iterator[str]:
    """Name of the database to be copied."""
    name = f"vp_history_{secrets.token_hex(6)}"
    asyncio.run(fill(postgres.create_database(name, migrated_template), DAYS, EVENTS))
    yield name
    postgres.drop_database(name)


@pytest.fixture
def history_url(postgres: PostgresServer, history_template: str) -> Iterator[str]:
    """A database with the history."""
    name = f"vp_test_{secrets.token_hex(6)}"
    yield postgres.create_database(name, history_template)
    postgres.drop_database(name)


@pytest.fixture
async def connection(history_url: str) -> AsyncIterator[Connection]:
    """A session in that database."""
    connection = await connect(history_url, "test", server_settings={"timezone": "UTC"})
    yield connection
    await connection.close()
