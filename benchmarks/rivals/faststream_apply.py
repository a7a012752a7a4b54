"""Apply as FastStream's and asyncpg's documentation shows it: a subscriber, and a transaction on a pool's connection.

Each message is acked after its transaction; one whose handler fails goes back to the queue. For RabbitMQ FastStream
handles as many messages at once as the channel may prefetch, here `--concurrency`; it has no `max_workers` there. What
slows FastStream down for nothing is left out: its two lines a message, the checking of types, and the round trip by
which the pool resets a connection it gets back. Of 10, 20, 40 and 100 messages at once, and pools of 10, 20 and 40
connections, none was clearly faster than the defaults.

`--as-documented` leaves all that in, and the pool at asyncpg's size: what one gets without tuning. `--one-statement` is
the best case of an event at a time: one statement instead of a transaction of several.
"""

import asyncio

import asyncpg
import uvloop
from aiohttp import web
from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue

from benchmarks.rivals import one_statement, store
from benchmarks.rivals.http import HOST
from benchmarks.rivals.message import COMPANY_HEADER
from benchmarks.rivals.options import amqp_url, database_url, parser, queue_name
from runtime.admin import start_site

CONCURRENCY = 100
POOL_SIZE = 20


async def run(port: int, concurrency: int, pool_size: int, *, at_best: bool, as_documented: bool) -> None:
    """Consume until SIGTERM. `at_best`: an event is one statement; `as_documented`: nothing is tuned."""
    apply = one_statement.apply if at_best else store.apply
    if as_documented:
        pool = await asyncpg.create_pool(database_url())
        broker = RabbitBroker(amqp_url())
    else:
        pool = await asyncpg.create_pool(database_url(), min_size=pool_size, max_size=pool_size, reset=_keep)
        broker = RabbitBroker(amqp_url(), logger=None, apply_types=False)
    await store.create_tables(pool)
    queue = RabbitQueue(queue_name(), QueueType.QUORUM, durable=True)

    @broker.subscriber(
        queue,
        channel=Channel(prefetch_count=concurrency),
        ack_policy=AckPolicy.NACK_ON_ERROR,
        decoder=_undecoded,
    )
    async def take(message: RabbitMessage) -> None:
        await apply(pool, message.headers[COMPANY_HEADER], message.body)

    app = FastStream(broker, logger=None)
    readiness = web.AppRunner(_readiness(), access_log=None)

    @app.after_startup
    async def tell() -> None:
        await start_site(readiness, HOST, port, "--port")

    try:
        await app.run()
    finally:
        await readiness.cleanup()
        await pool.close()


async def _undecoded(message: RabbitMessage) -> RabbitMessage:
    """Hand the message to the handler, which needs its header and its text too."""
    return message


async def _keep(_connection: object) -> None:
    """Have the pool reset nothing, as nothing was set."""


def _readiness() -> web.Application:
    async def ready(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/readyz", ready)
    return app


def main() -> None:
    """Run until SIGTERM."""
    options = parser(__doc__)
    options.add_argument("--concurrency", type=int, default=CONCURRENCY)
    options.add_argument("--pool-size", type=int, default=POOL_SIZE)
    options.add_argument("--one-statement", action="store_true", help="the best case of an event at a time")
    options.add_argument("--as-documented", action="store_true", help="nothing tuned")
    arguments = options.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            run(
                arguments.port,
                arguments.concurrency,
                arguments.pool_size,
                at_best=arguments.one_statement,
                as_documented=arguments.as_documented,
            )
        )


if __name__ == "__main__":
    main()
