"""Changing the key of a callback URL, as docs/security.md tells it, while callbacks keep coming."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from deploy.local.ports import lease_port
from runtime.companies import hash_endpoint_key
from tests.support.ingest import STRANGER, VIBES, Ingest, client, eventually, ingest_process

OLD, NEW = "o" * 43, "n" * 43


def companies(**keys: str) -> dict[str, Any]:
    endpoints = [{"name": name, "key_sha256": hash_endpoint_key(key)} for name, key in keys.items()]
    company = {"company_key": "acme", "region": "US", "extra_source_ranges": [f"{VIBES}/32"], "endpoints": endpoints}
    return {"companies": [company]}


class Sender:
    """Delivers callbacks as Vibes does: to the URL that is registered, again when there was no answer."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses: list[int] = []

    async def run(self) -> None:
        async with client() as session:
            while True:
                try:
                    async with session.post(self.url, data=b"{}") as response:
                        self.statuses.append(response.status)
                except aiohttp.ClientError:
                    continue
                await asyncio.sleep(0.005)

    async def goes_on(self) -> None:
        """Wait for some more answers."""
        count = len(self.statuses)
        await eventually(lambda: len(self.statuses) >= count + 10, "callbacks are answered")


@asynccontextmanager
async def sending(url: str) -> AsyncIterator[Sender]:
    sender = Sender()
    sender.url = url
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        task.cancel()


async def test_a_key_is_changed_without_a_callback_that_fails(amqp_url: str) -> None:
    async with AsyncExitStack() as processes:
        port = processes.enter_context(lease_port()).getsockname()[1]

        async def restart(before: AsyncExitStack | None, **keys: str) -> tuple[AsyncExitStack, Ingest]:
            """Start a process with these keys beside the one before, then stop that one."""
            stack = await processes.enter_async_context(AsyncExitStack())
            starting = ingest_process(amqp_url, "reuse-port", companies=companies(**keys), ingest_port=port)
            ingest = await stack.enter_async_context(starting)
            if before:
                await before.aclose()
            return stack, ingest

        running, ingest = await restart(None, main=OLD)
        async with sending(ingest.callback_url(OLD)) as vibes:
            await vibes.goes_on()

            # 1. The new key beside the old one.
            running, ingest = await restart(running, main=OLD, next=NEW)
            await vibes.goes_on()

            # 2. The registration is changed at Vibes; what is still delivered to the old URL is taken as well.
            vibes.url = ingest.callback_url(NEW)
            await vibes.goes_on()
            assert (await ingest.post(key=OLD)).status == 202

            # 3. The old key goes.
            running, ingest = await restart(running, next=NEW)
            await vibes.goes_on()
            assert set(vibes.statuses) == {202}

        # Whoever has the old URL has nothing. Vibes itself, should it still use it, is told to try again, and an alert
        # is raised: that would be a mistake of ours.
        assert (await ingest.post(key=OLD, source=STRANGER)).status == 404
        assert (await ingest.post(key=OLD, source=VIBES)).status == 503
        assert (await ingest.post(key=NEW)).status == 202
