"""A made-up history in a database."""

import asyncio
from collections.abc import AsyncIterator

from cli.history.filling import apply_history, make_partitions
from runtime.postgres import Pool
from schemas.broker_message import CallbackMessage
from simulator.history.history import History


async def fill_history(pool: Pool, history: History) -> None:
    """Have the history told here, and applied by the code that applies callbacks."""

    async def messages() -> AsyncIterator[CallbackMessage]:
        for message in history.messages():
            yield message

    async with pool.acquire() as connection:
        await make_partitions(connection, history.spec)
    await apply_history(pool, history.spec.company_key, messages(), asyncio.Event(), lambda _: None)
