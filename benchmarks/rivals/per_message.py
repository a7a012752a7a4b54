"""The straightforward ingest: one confirmed, persistent, mandatory publish a request, then 202."""

import asyncio

import aio_pika
from aiohttp import web

from benchmarks.rivals.http import listen, read
from benchmarks.rivals.message import message
from benchmarks.rivals.options import QUORUM, amqp_url, parser, queue_name
from runtime.lifecycle import run_process


async def ingest(port: int, stop: asyncio.Event) -> None:
    """Serve until `stop`."""
    queue = queue_name()
    async with await aio_pika.connect(amqp_url()) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.declare_queue(queue, durable=True, arguments=QUORUM)
        exchange = channel.default_exchange

        async def answer(request: web.BaseRequest) -> web.Response:
            body = await read(request)
            if not body:
                return web.Response()
            await exchange.publish(message(body, request.path.rpartition("/")[2]), queue, mandatory=True)
            return web.Response(status=202)

        await listen(answer, port, stop)


def main() -> None:
    """Run until SIGTERM."""
    port = parser(__doc__).parse_args().port
    run_process(lambda stop: ingest(port, stop))


if __name__ == "__main__":
    main()
