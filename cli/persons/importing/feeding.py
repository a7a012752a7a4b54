"""Publish the chunks of a file one after the other, until the end or until asked to stop."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from cli.persons.importing.chunks import Chunk
from cli.persons.importing.lines import UnreadableError
from cli.persons.importing.publishing import Publisher, StoppedError
from ingest.ids import uuid7
from runtime.lifecycle import wait_or_stop
from schemas.crm_message import CrmMessage


class Feeder:
    """Gives a company's chunks to the publisher: at most `rate` changes a second, until `stop`."""

    def __init__(
        self, publisher: Publisher, company_key: str, stop: asyncio.Event, *, bulk: bool, rate: float | None
    ) -> None:
        self._publisher = publisher
        self._company_key = company_key
        self._stop = stop
        self._bulk = bulk
        self._rate = rate
        self._loop = asyncio.get_running_loop()
        self._free_at = self._loop.time()

    async def feed(self, chunks: Iterable[Chunk]) -> bool:
        """Publish the chunks; return whether all of them were, rather than those before `stop`.

        Raises ServiceError when the broker or the input ends it; what could be read before is published then.
        """
        try:
            try:
                fed = await self._put_all(chunks)
            except UnreadableError:
                await self._publisher.finish()
                raise
            await self._publisher.finish()
        except StoppedError:
            return False
        finally:
            await self._publisher.close()
        return fed

    async def _put_all(self, chunks: Iterable[Chunk]) -> bool:
        for chunk in chunks:
            # Lets a signal be seen, whatever the rate is.
            if await wait_or_stop(self._stop, max(self._free_at - self._loop.time(), 0)):
                return False
            message = CrmMessage(uuid7(), self._company_key, datetime.now(UTC), self._bulk, chunk.changes)
            await self._publisher.put(chunk.last_row, message)
            if self._rate:
                self._free_at = max(self._free_at, self._loop.time() - 1) + len(chunk.changes) / self._rate
        return True
