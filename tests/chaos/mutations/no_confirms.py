"""ingest takes a callback for stored as soon as it has handed it to its connection to the broker."""

from aio_pika.abc import AbstractConnection

from cli.main import main
from ingest.broker_health import BrokerHealth
from ingest.exchange import CallbackExchange, Terms
from runtime.amqp import declare


async def _open(
    cls: type[CallbackExchange], connection: AbstractConnection, terms: Terms, health: BrokerHealth
) -> CallbackExchange:
    channel = await connection.channel(publisher_confirms=False)
    await declare(channel, terms.topology)
    return cls(channel, terms, health)


if __name__ == "__main__":
    CallbackExchange.open = classmethod(_open)  # type: ignore[assignment]  # the mutation
    main()
