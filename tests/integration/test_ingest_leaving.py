"""What callers with an open connection see of the end of an ingest process: an answer, then that it closes."""

import signal

import aiohttp

from tests.support.ingest import client, eventually, ingest_process


async def test_a_request_over_an_idle_connection_is_answered_although_the_process_drains(amqp_url: str) -> None:
    async with ingest_process(amqp_url) as ingest, client() as session:
        process = ingest.process
        assert process

        async def post() -> aiohttp.ClientResponse:
            async with session.post(ingest.callback_url(), data=b"{}") as answer:
                await answer.read()
                return answer

        assert (await post()).headers.get("Connection") != "close"
        process.send_signal(signal.SIGTERM)
        await eventually(lambda: any(line["event"] == "ingest.draining" for line in ingest.log), "ingest drains")

        last = await post()

        assert (last.status, last.headers["Connection"]) == (202, "close")
        assert await process.wait() == 0


async def test_a_caller_who_says_nothing_does_not_keep_it_from_ending(amqp_url: str) -> None:
    async with ingest_process(amqp_url, drain_seconds=1) as ingest, client() as session:
        assert ingest.process
        async with session.post(ingest.callback_url(), data=b"{}") as answer:
            await answer.read()
        ingest.process.send_signal(signal.SIGTERM)
        assert await ingest.process.wait() == 0
