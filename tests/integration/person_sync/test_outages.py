"""Postgres or the broker is away: the worker waits, nothing is lost, and it says so."""

import asyncio
from collections.abc import AsyncIterator

import aio_pika
import aiohttp
import asyncpg
import pytest
from aiohttp.test_utils import unused_port

from deploy.local.postgres import LocalPostgres
from deploy.local.rabbitmq import LocalRabbitMQ
from runtime.companies import Companies
from runtime.settings import Settings
from tests.integration.person_sync.vibes_stand_in import VibesStandIn
from tests.integration.person_sync.world import World, until, worker


async def readiness(settings: Settings) -> tuple[int, str]:
    url = f"http://127.0.0.1:{settings.person_sync_admin_port}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, (await response.text()).strip()


class TestPostgres:
    @pytest.fixture
    def settings(self, settings: Settings, own_database_url: str) -> Settings:
        return settings.model_copy(
            update={
                "database_url": type(settings.database_url)(own_database_url),
                "person_sync_admin_port": unused_port(),
            }
        )

    async def test_a_stop_of_postgres_is_waited_out_and_nothing_is_acked(
        self,
        world: World,
        vibes: VibesStandIn,
        settings: Settings,
        companies: Companies,
        own_postgres: LocalPostgres,
    ) -> None:
        vibes.add("K1", person_key="K1")
        vibes.open.clear()
        due = await world.subscribe_and_publish("K1")

        async with worker(settings, companies):
            await until(lambda: vibes.requests, "the call")
            await asyncio.to_thread(own_postgres.stop, "immediate")
            await world.messages_are(1)
            status, text = await readiness(settings)
            assert status == 503
            assert text.startswith("PostgreSQL does not answer")

            vibes.open.set()
            await asyncio.to_thread(own_postgres.start)
            row = await world.becomes(due, "synced")
            assert await readiness(settings) == (200, "ready")

        assert row["synced_version"] == 1
        assert await world.waiting_messages() == 0
        assert await world.pool.fetchval("SELECT count(*) FROM dead_letters") == 0

    async def test_a_worker_starts_without_postgres_and_waits_for_it(
        self,
        world: World,
        vibes: VibesStandIn,
        settings: Settings,
        companies: Companies,
        own_postgres: LocalPostgres,
    ) -> None:
        vibes.add("K1", person_key="K1")
        due = await world.subscribe_and_publish("K1")
        await asyncio.to_thread(own_postgres.stop, "immediate")

        async with worker(settings, companies):
            await until(lambda: _answers(settings), "the admin listener")
            assert (await readiness(settings))[0] == 503
            await asyncio.to_thread(own_postgres.start)
            await world.becomes(due, "synced")

    async def test_a_server_that_cannot_be_written_to_is_no_server(
        self,
        world: World,
        vibes: VibesStandIn,
        settings: Settings,
        companies: Companies,
        own_postgres: LocalPostgres,
    ) -> None:
        vibes.add("K1", person_key="K1")
        due = await world.subscribe_and_publish("K1")
        own_postgres.execute("ALTER DATABASE vibes SET default_transaction_read_only = on")

        async with worker(settings, companies):
            await until(lambda: _answers(settings), "the admin listener")
            assert await readiness(settings) == (503, "not consuming")
            own_postgres.execute("ALTER DATABASE vibes RESET default_transaction_read_only")
            await own_sessions_end(settings)
            await world.becomes(due, "synced")

        assert len(vibes.requests) == 1


async def _answers(settings: Settings) -> bool:
    try:
        await readiness(settings)
    except aiohttp.ClientError:
        return False
    return True


async def own_sessions_end(settings: Settings) -> None:
    """End the pool's sessions: those opened before keep the setting they began with."""
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'vibes-pipeline person-sync' AND datname = current_database()"
    )
    await connection.close()


class TestBroker:
    @pytest.fixture
    def settings(self, settings: Settings, own_rabbitmq: LocalRabbitMQ) -> Settings:
        return settings.model_copy(update={"amqp_url": type(settings.amqp_url)(own_rabbitmq.amqp_url)})

    @pytest.fixture
    async def world(self, settings: Settings) -> AsyncIterator[World]:
        async with asyncpg.create_pool(settings.database_url.get_secret_value(), min_size=1, max_size=4) as pool:
            broker = await aio_pika.connect_robust(settings.amqp_url.get_secret_value())
            yield World(pool, await broker.channel(), settings)
            await broker.close()

    @pytest.mark.long  # until a broker has gone and come back
    async def test_when_the_broker_dies_in_a_call_the_person_is_synced_after_it_returns(
        self,
        world: World,
        vibes: VibesStandIn,
        settings: Settings,
        companies: Companies,
        own_rabbitmq: LocalRabbitMQ,
    ) -> None:
        vibes.add("K1", person_key="K1")
        vibes.open.clear()
        due = await world.subscribe_and_publish("K1")

        async with worker(settings, companies):
            await until(lambda: vibes.requests, "the call")
            await asyncio.to_thread(own_rabbitmq.sync_declarations)
            await asyncio.to_thread(own_rabbitmq.kill)
            await until(lambda: vibes.under_way.total() == 0, "the call cut short")
            vibes.open.set()
            await asyncio.to_thread(own_rabbitmq.start)
            row = await world.becomes(due, "synced")

        assert row["synced_version"] == 1
