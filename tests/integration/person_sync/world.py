"""What the specifications of the person worker act on: a database, a queue, workers."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
import orjson
from aio_pika.abc import AbstractChannel

from runtime.amqp import declare
from runtime.companies import Companies, Company, Endpoint, Sync
from runtime.postgres import Pool
from runtime.settings import Settings
from schemas.facts import Fact, PersonIdentity, Sighting
from schemas.person_due import PersonDue, encode
from workers.mirror import Mirror, write_mirror
from workers.mirror.identity import crm_record_uid
from workers.person_sync.process import serve
from workers.sync_requests import request_after_subscription, request_writes

COMPANY = "acme"
SEEN_AT = datetime(2024, 1, 1, tzinfo=UTC)
PATIENCE_SECONDS = 20.0


async def until(condition: Callable[[], Any], what: str = "the condition", patience: float = PATIENCE_SECONDS) -> Any:
    """Wait until the condition (a function, perhaps async) holds; return its value."""
    try:
        async with asyncio.timeout(patience):
            while True:
                value = condition()
                if isinstance(value, Awaitable):
                    value = await value
                if value:
                    return value
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what} did not come true within {patience:g} s") from None


def company_of(company_key: str, delay: float = 0.0) -> Company:
    """A company as apply finds it in the companies file."""
    return Company(
        company_key=company_key,
        region="US",
        endpoints=(Endpoint(name="main", key_sha256="0" * 64),),
        api_username="somebody",
        api_password_env="PASSWORD",
        sync=Sync(delay_seconds=delay),
    )


@dataclass
class World:
    """Does what apply, the CRM and an operator do, and looks at what came of it."""

    pool: Pool
    channel: AbstractChannel
    settings: Settings

    async def tell(self, *facts: Fact, company: str = COMPANY) -> list[UUID]:
        """Fold facts into the mirror; return whom each is about."""

        async def work(mirror: Mirror) -> list[UUID]:
            uids = await mirror.store(company, facts)
            return [uids[fact.person] for fact in facts]

        async with self.pool.acquire() as connection:
            return await write_mirror(connection, [company], work)

    async def subscribe(
        self,
        person_key: str = "K1",
        person_id: str | None = None,
        external: str | None = None,
        mdn: str | None = None,
        company: str = COMPANY,
    ) -> PersonDue:
        """Do what apply does on subscription_added; return the message to publish."""
        seen = Sighting(PersonIdentity(person_id, person_key or None), SEEN_AT, external, mdn, mdn)
        (uid,) = await self.tell(seen, company=company)
        await self.request(PersonDue(company, uid))
        return PersonDue(company, uid)

    async def request(self, due: PersonDue) -> None:
        """Put the person into the outbox, once more if it is there already: what apply does when they subscribe."""
        async with self.pool.acquire() as connection:
            await request_after_subscription(connection, company_of(due.company_key), [due.person_uid])

    async def crm(self, external: str, mdn: str | None = None, **custom_fields: Any) -> PersonDue:
        """Have a person in the CRM; return the record's key in the outbox, where it is not yet."""
        await self.pool.execute(
            "INSERT INTO crm_persons (company_key, external_person_id, mdn, mdn_e164, custom_fields, updated_at) "
            "VALUES ($1, $2, $3, $3, $4, now()) ON CONFLICT (company_key, external_person_id) "
            "DO UPDATE SET custom_fields = excluded.custom_fields",
            COMPANY,
            external,
            mdn,
            orjson.dumps(custom_fields).decode(),
        )
        return PersonDue(COMPANY, crm_record_uid(COMPANY, external))

    async def change(
        self, external: str, mdn: str | None = None, *, delay: float = 0.0, bulk: bool = False, **custom_fields: Any
    ) -> PersonDue:
        """Do what apply does on a change of the CRM: store it, and put the record into the outbox."""
        due = await self.crm(external, mdn, **custom_fields)
        async with self.pool.acquire() as connection:
            await request_writes(connection, company_of(COMPANY, delay), [external], bulk=bulk)
        return due

    async def change_and_publish(self, *args: Any, **options: Any) -> PersonDue:
        """`change`, then `publish`, which the sweep would do."""
        due = await self.change(*args, **options)
        await self.publish(due)
        return due

    async def publish(self, due: PersonDue | bytes, times: int = 1) -> None:
        """Say that the person is due, or put any bytes on the queue."""
        await declare(self.channel, self.settings.topology)
        exchange = await self.channel.get_exchange(self.settings.topology.syncs.name)
        message = aio_pika.Message(due if isinstance(due, bytes) else encode(due))
        for _ in range(times):
            await exchange.publish(message, "person", mandatory=True)

    async def subscribe_and_publish(self, *args: Any, **options: Any) -> PersonDue:
        """`subscribe`, then `publish`."""
        due = await self.subscribe(*args, **options)
        await self.publish(due)
        return due

    async def row(self, due: PersonDue) -> asyncpg.Record:
        """Return the person's row of the outbox."""
        row = await self.pool.fetchrow(
            "SELECT *, extract(epoch FROM next_attempt_at - now()) AS due_in FROM person_sync "
            "WHERE company_key = $1 AND person_uid = $2",
            due.company_key,
            due.person_uid,
        )
        assert row is not None
        return row

    async def person(self, due: PersonDue) -> asyncpg.Record:
        """Return the person as the mirror has it."""
        row = await self.pool.fetchrow("SELECT * FROM persons WHERE person_uid = $1", due.person_uid)
        assert row is not None
        return row

    async def becomes(self, due: PersonDue, status: str, patience: float = PATIENCE_SECONDS) -> asyncpg.Record:
        """Wait until the person's sync has that status, then return its row."""

        async def has_status() -> bool:
            return bool((await self.row(due))["status"] == status)

        await until(has_status, f"status {status}", patience)
        return await self.row(due)

    async def fails(self, due: PersonDue, error: str) -> None:
        """Wait until the person's sync was tried and failed with that error."""

        async def has_failed() -> bool:
            return bool((await self.row(due))["last_error"] == error)

        await until(has_failed, error)

    async def make_due(self, due: PersonDue) -> None:
        """Let the time pass until the person is due again."""
        await self.pool.execute("UPDATE person_sync SET next_attempt_at = now() WHERE person_uid = $1", due.person_uid)

    async def is_due_within(self, due: PersonDue, seconds: float) -> bool:
        """Tell whether the sweep looks after the person that soon."""
        return bool((await self.row(due))["due_in"] <= seconds)

    async def calls(self) -> list[asyncpg.Record]:
        """Return the recorded calls, in order."""
        return await self.pool.fetch("SELECT * FROM person_api_calls ORDER BY called_at")

    async def waiting_messages(self) -> int:
        """Return how many messages are in the queue and with no worker."""
        queue = await self.channel.declare_queue(self.settings.topology.person_sync.name, passive=True)
        return queue.declaration_result.message_count or 0

    async def messages_are(self, number: int) -> None:
        """Wait until so many messages are in the queue and with no worker."""

        async def are_there() -> bool:
            return await self.waiting_messages() == number

        await until(are_there, f"{number} messages")

    async def end_lock_sessions(self) -> None:
        """Do what a restart or a failover does to the workers' locks."""
        await self.pool.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name LIKE '%locks' AND datname = current_database()"
        )

    async def lock_sessions_are(self, number: int) -> None:
        """Wait until so many workers have a connection for their locks."""

        async def are_there() -> bool:
            count = await self.pool.fetchval(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE application_name LIKE '%locks' AND datname = current_database()"
            )
            return bool(count == number)

        await until(are_there, f"{number} lock sessions")

    async def workers_are(self, number: int) -> None:
        """Wait until so many workers consume."""

        async def consume() -> bool:
            queue = await self.channel.declare_queue(self.settings.topology.person_sync.name, passive=True)
            return queue.declaration_result.consumer_count == number

        await declare(self.channel, self.settings.topology)
        await until(consume, f"{number} workers")


@asynccontextmanager
async def worker(settings: Settings, companies: Companies) -> AsyncIterator[asyncio.Event]:
    """Run a person worker in this process; it is stopped, and has to come to an end, with the block."""
    stop = asyncio.Event()
    running = asyncio.create_task(serve(settings, companies, stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(settings.drain_seconds + PATIENCE_SECONDS):
            await running


@asynccontextmanager
async def worker_process(settings: Settings, companies_file: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a person worker as a process of its own; it is killed with the block."""
    environment = {
        "PATH": os.environ["PATH"],
        "PASSWORD": "secret",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "VIBES_PIPELINE_COMPANIES_FILE": str(companies_file),
        "VIBES_PIPELINE_PERSON_SYNC_ADMIN_PORT": str(settings.person_sync_admin_port),
        "VIBES_PIPELINE_PERSON_SYNC_SWEEP_SECONDS": str(settings.person_sync_sweep_seconds),
        "VIBES_PIPELINE_PERSON_API_TIMEOUT_SECONDS": str(settings.person_api_timeout_seconds),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.person_sync.run_worker", env=environment, cwd=Path.cwd()
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
