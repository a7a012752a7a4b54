"""Databases for one measurement each."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.local.stack import Stack


@contextmanager
def fresh_database(blank: Stack) -> Iterator[str]:
    """Give the URL of a copy of a stack's database, to which nobody may be connected; dropped in the end."""
    name = f"bench_{secrets.token_hex(4)}"
    url = blank.postgres.create_database(name, blank.database_name)
    try:
        yield url
    finally:
        blank.postgres.drop_database(name)
