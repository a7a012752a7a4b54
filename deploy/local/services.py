"""The two services the pipeline needs, private and throw-away; or those of DATABASE_URL and AMQP_URL when set."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.broker import Broker
from deploy.local.postgres import LocalPostgres, PostgresServer
from deploy.local.rabbitmq import LocalRabbitMQ
from deploy.local.workspace import Workspace


def postgres_in(
    workspace: Workspace, *, durable: bool = True, settings: Mapping[str, str] | None = None
) -> PostgresServer:
    """Return the server DATABASE_URL names, else a private one in this workspace, not yet started."""
    url = os.environ.get("DATABASE_URL")
    return PostgresServer(url) if url else LocalPostgres(workspace, durable=durable, settings=settings)


def rabbitmq_in(workspace: Workspace, *, management: bool = False) -> Broker:
    """Return the broker AMQP_URL names, else a private one in this workspace, not yet started.

    AMQP_MANAGEMENT_URL may name the management API of a broker that is not ours.
    """
    url = os.environ.get("AMQP_URL")
    return (
        Broker(url, os.environ.get("AMQP_MANAGEMENT_URL")) if url else LocalRabbitMQ(workspace, management=management)
    )


class Services:
    """PostgreSQL and RabbitMQ, started side by side on entering and gone on leaving.

    With a ``directory`` (new or empty) data and logs are kept there and the services are stopped gracefully;
    without one everything is thrown away. However the process ends, even by SIGKILL, nothing is left running.
    ``settings`` are settings of PostgreSQL. ``broker`` makes a broker of ours other than a single node.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        management: bool = False,
        settings: Mapping[str, str] | None = None,
        broker: Callable[[Workspace], Broker] | None = None,
    ) -> None:
        self._workspace = Workspace(directory)
        self.postgres = postgres_in(self._workspace, settings=settings)
        self.rabbitmq = broker(self._workspace) if broker else rabbitmq_in(self._workspace, management=management)
        self._ours: list[LocalPostgres | Broker] = []
        if isinstance(self.postgres, LocalPostgres):
            self._ours.append(self.postgres)
        if broker or isinstance(self.rabbitmq, LocalRabbitMQ):
            self._ours.append(self.rabbitmq)

    def __enter__(self) -> Self:
        try:
            _side_by_side([service.start for service in self._ours])
        except BaseException:
            self._workspace.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._workspace.temporary:
                _side_by_side([service.stop for service in self._ours])
        finally:
            self._workspace.close()


def _side_by_side(actions: list[Callable[[], None]]) -> None:
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(action) for action in actions]
    for result in running:
        result.result()


def main() -> int:
    """Run the two services, print their addresses, and stop them on Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job starts with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        with Services(management=True) as services:
            sys.stdout.write(f"DATABASE_URL={services.postgres.url}\nAMQP_URL={services.rabbitmq.amqp_url}\n")
            if services.rabbitmq.management_url:
                sys.stdout.write(f"AMQP_MANAGEMENT_URL={services.rabbitmq.management_url}\n")
            sys.stdout.flush()
            signal.pause()
    except KeyboardInterrupt:
        return 0
    return 0
