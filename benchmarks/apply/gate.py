"""Start on a signal: a table that nobody can write into until it is released."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg


@contextmanager
def held(database_url: str, table: str) -> Iterator[None]:
    """Let reads of the table pass, and writes wait until the context ends.

    Apply workers try a write before they fetch anything: processes started in the context begin together at its end.
    """
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(database_url))
        runner.run(connection.execute("BEGIN"))
        runner.run(connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
        try:
            yield
        finally:
            runner.run(connection.close())
