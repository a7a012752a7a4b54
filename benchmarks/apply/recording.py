"""Which statements the apply code executes, with which arguments: to execute them again without the code."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from deploy.local.errors import ServiceError
from runtime.postgres import Pool

_CALLS = ("execute", "executemany", "fetch", "fetchrow", "fetchval", "copy_records_to_table")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a method of the connection."""

    method: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


@dataclass(slots=True)
class Transaction:
    """The calls of one transaction, in their order."""

    calls: list[Call] = field(default_factory=list)
    committed: bool = False


class Recorder:
    """A pool for the apply code, over a real one; it keeps the transactions that were made on its connections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.transactions: list[Transaction] = []

    def as_pool(self) -> Pool:
        """Return it as what the apply code asks for, of which it uses `acquire` alone."""
        return cast("Pool", self)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["_Connection"]:
        """Lend a connection."""
        async with self._pool.acquire() as connection:
            yield _Connection(connection, self.transactions)


class _Connection:
    """A connection that keeps what it is asked to do, which must be in transactions."""

    def __init__(self, connection: Any, transactions: list[Transaction]) -> None:
        self._connection = connection
        self._transactions = transactions
        self._open: Transaction | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self._open = Transaction()
        self._transactions.append(self._open)
        try:
            async with self._connection.transaction():
                yield
            self._open.committed = True
        finally:
            self._open = None

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        if method not in _CALLS or self._open is None:
            raise ServiceError(f"apply calls {method} of a connection in a way that {__name__} does not know")
        calls = self._open.calls

        async def call(*arguments: Any, **keywords: Any) -> Any:
            kept = {name: list(value) if name == "records" else value for name, value in keywords.items()}
            calls.append(Call(method, arguments, kept))
            return await getattr(self._connection, method)(*arguments, **kept)

        return call


async def replay(pool: Pool, transactions: Sequence[Transaction], connections: int = 1) -> None:
    """Execute recorded transactions again, on so many connections at a time. Raises what asyncpg raises."""
    pending = iter(transactions)

    async def work() -> None:
        async with pool.acquire() as connection:
            for transaction in pending:
                await _replay_one(connection, transaction)

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(work())


async def _replay_one(connection: Any, transaction: Transaction) -> None:
    trial = connection.transaction()
    await trial.start()
    for call in transaction.calls:
        await getattr(connection, call.method)(*call.arguments, **call.keywords)
    await (trial.commit() if transaction.committed else trial.rollback())
