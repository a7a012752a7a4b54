"""Deal with several batches at a time, and ack them in the order of their deliveries."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from workers.apply.batches import Batch, Message

Result = TypeVar("Result")


class Pipeline(Generic[Message]):
    """Has up to `depth` batches settled at the same time: while Postgres works on one, the next one is read.

    Transactions of one process may meet on the same rows just as those of several processes do. An ack covers all
    earlier deliveries, so a batch is acked only after those before it.
    """

    def __init__(self, settle: Callable[[Batch[Message]], Awaitable[None]], depth: int) -> None:
        self._settle = settle
        self._depth = depth
        self._under_way: list[asyncio.Task[None]] = []
        """In the order of delivery."""

    async def run(self, next_batch: Callable[[], Awaitable[Batch[Message] | None]]) -> None:
        """Settle and ack what `next_batch` returns, until that is None.

        Raises what goes wrong with a batch; then neither it nor what came after it is acked.
        """
        try:
            while (batch := await self._unless_one_fails(next_batch())) is not None:
                # What may crash the process must not take others with it.
                await self._shrink_to(0 if batch.is_suspect else self._depth - 1)
                before = self._under_way[-1] if self._under_way else None
                self._under_way.append(asyncio.create_task(self._deal_with(batch, before)))
                if batch.is_suspect:
                    await self._shrink_to(0)
            await self._shrink_to(0)
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _unless_one_fails(self, work: Awaitable[Result]) -> Result:
        """Wait for `work`; raise at once what goes wrong with a batch meanwhile."""
        waiting = asyncio.ensure_future(work)
        try:
            while not waiting.done():
                await asyncio.wait((waiting, *self._under_way[:1]), return_when=asyncio.FIRST_COMPLETED)
                while self._under_way and self._under_way[0].done():
                    self._under_way.pop(0).result()
            return waiting.result()
        finally:
            waiting.cancel()

    async def _shrink_to(self, size: int) -> None:
        while len(self._under_way) > size:
            await self._under_way[0]
            del self._under_way[0]

    async def _deal_with(self, batch: Batch[Message], before: "asyncio.Task[None] | None") -> None:
        await self._settle(batch)
        if before is not None:
            await asyncio.shield(before)
        await batch.ack()
