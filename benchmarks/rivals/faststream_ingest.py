"""Ingest as FastAPI's and FastStream's documentation shows it: a route of a RabbitRouter that publishes, on uvicorn.

What slows it down for nothing is left out: the body goes on as it came instead of through a model and back, access log
and FastStream's line a message are off, and uvicorn has uvloop and httptools.
"""

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from faststream.rabbit import Channel, QueueType, RabbitQueue
from faststream.rabbit.fastapi import RabbitRouter

from benchmarks.rivals.http import HOST
from benchmarks.rivals.message import COMPANY_HEADER, CONTENT_TYPE
from benchmarks.rivals.options import amqp_url, parser, queue_name

_BACKLOG = 4096


def create_app() -> FastAPI:
    """Return the application; it connects when it starts."""
    queue = RabbitQueue(queue_name(), QueueType.QUORUM, durable=True)
    confirmed = Channel(publisher_confirms=True, on_return_raises=True)
    router = RabbitRouter(amqp_url(), default_channel=confirmed, logger=None, schema_url=None)

    @router.post("/callbacks/{endpoint}")
    async def take(endpoint: str, request: Request) -> Response:
        body = await request.body()
        orjson.loads(body)
        await router.broker.publish(
            body, queue, persist=True, content_type=CONTENT_TYPE, headers={COMPANY_HEADER: endpoint}
        )
        return Response(status_code=202)

    @router.get("/readyz")
    async def ready() -> Response:
        return Response()

    @router.after_startup
    async def declare(_app: FastAPI) -> None:
        await router.broker.declare_queue(queue)

    app = FastAPI(openapi_url=None)
    app.include_router(router)
    return app


def main() -> None:
    """Run until SIGTERM."""
    port = parser(__doc__).parse_args().port
    uvicorn.run(
        create_app(),
        host=HOST,
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        backlog=_BACKLOG,
    )


if __name__ == "__main__":
    main()
