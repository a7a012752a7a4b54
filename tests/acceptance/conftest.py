"""What the acceptance tests may ask for beside the services."""

import secrets
from collections.abc import Iterator

import pytest

from deploy.local.postgres import PostgresServer


@pytest.fixture
def postgres_empty_url(postgres: PostgresServer) -> Iterator[str]:
    """A database without any table."""
    name = f"vp_empty_{secrets.token_hex(6)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)
