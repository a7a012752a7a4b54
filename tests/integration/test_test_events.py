"""A test event is logged as a test and changes nothing, even if it comes before Vibes has answered for it."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.postgres import Pool, create_pool, statement
from tests.integration.person_sync.world import until
from tests.support.applying import apply_bodies
from tests.support.bodies import encoded, person_body, subscription_body
from tests.support.commands import vibes_pipeline
from workers.apply.reading import Outcome

Answer = Callable[[], Awaitable[web.Response]]


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with create_pool(database_url, "test", min_size=0, max_size=4) as pool:
        yield pool


@asynccontextmanager
async def vibes(answer: Answer) -> AsyncIterator[str]:
    """Serve the one route a test event is asked for at; yield the URL."""
    app = web.Application()

    async def handle(_request: web.Request) -> web.Response:
        return await answer()

    app.router.add_post("/companies/acme/config/callback_events/test", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def ask_for_test(
    database_url: str, url: str, directory: Path, *options: str, **environment: str
) -> tuple[int, str]:
    """Run `callbacks test person_added`; return its exit code and what it printed."""
    companies = directory / "companies.toml"
    companies.write_text(
        f'[[companies]]\ncompany_key = "acme"\nregion = "US"\napi_base_url = "{url}"\napi_username = "a@example.com"\n'
        f'api_password_env = "PASSWORD"\nendpoints = [{{ name = "main", key_sha256 = "{"0" * 64}" }}]\n'
    )
    process = await asyncio.create_subprocess_exec(
        *(*vibes_pipeline(), "callbacks", "test", "person_added", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            "PATH": os.environ["PATH"],
            "PASSWORD": "secret",
            "DATABASE_URL": database_url,
            "VIBES_PIPELINE_COMPANIES_FILE": str(companies),
            **environment,
        },
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def queued(event_id: str = "test-1") -> web.Response:
    return web.json_response({"message": "queued", "event_id": event_id}, status=201)


async def nothing_was_changed(pool: Pool) -> None:
    for table in ("persons", "subscriptions", "person_sync", "person_identities"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608 - a name of ours


async def test_a_test_event_is_logged_as_a_test_and_changes_nothing(
    pool: Pool, database_url: str, tmp_path: Path
) -> None:
    async with vibes(queued) as url:
        code, told = await ask_for_test(database_url, url, tmp_path)
    assert code == 0, told
    outcomes = await apply_bodies(pool, [encoded(person_body("added", event_id="test-1"))])
    assert outcomes == [Outcome.APPLIED]
    await nothing_was_changed(pool)
    (row,) = await pool.fetch("SELECT callback_type, payload #>> '{person,person_id}' AS id FROM callback_events")
    assert tuple(row) == ("test", "P1")
    assert await apply_bodies(pool, [encoded(person_body("added", event_id="test-1"))]) == [Outcome.DUPLICATE]


async def test_a_test_event_changes_nothing_whatever_its_type_and_its_mates_are_facts(pool: Pool) -> None:
    await pool.execute(statement("remember_test_event"), "acme", "test-1", "subscription_added", 30)
    await apply_bodies(
        pool,
        [
            encoded(subscription_body(event_id="test-1", person={"id": "P7"})),
            encoded(subscription_body(event_id="fact-1", person={"id": "P8"})),
        ],
    )
    assert await pool.fetchval("SELECT array_agg(person_id) FROM persons") == ["P8"]
    assert await pool.fetchval("SELECT count(*) FROM person_sync") == 1


async def test_a_test_event_that_comes_before_vibes_has_answered_changes_nothing(
    pool: Pool, database_url: str, tmp_path: Path
) -> None:
    applying: list[asyncio.Task[Any]] = []

    async def send_before_answering() -> web.Response:
        body = encoded(person_body("added", event_id="test-1"))
        applying.append(asyncio.create_task(apply_bodies(pool, [body])))

        async def waits() -> bool:
            return bool(
                await pool.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            )

        await until(waits, "apply that waits")
        return await queued()

    async with vibes(send_before_answering) as url:
        code, told = await ask_for_test(database_url, url, tmp_path)
    assert code == 0, told
    assert await applying[0] == [Outcome.APPLIED]
    await nothing_was_changed(pool)
    assert await pool.fetchval("SELECT callback_type FROM callback_events") == "test"


async def test_vibes_that_does_not_answer_holds_apply_up_for_no_longer_than_the_timeout(
    pool: Pool, database_url: str, tmp_path: Path
) -> None:
    forever = asyncio.Event()
    asked = asyncio.Event()

    async def never() -> web.Response:
        asked.set()
        await forever.wait()
        return await queued()

    async with vibes(never) as url:
        command = asyncio.create_task(
            ask_for_test(database_url, url, tmp_path, VIBES_PIPELINE_PERSON_API_TIMEOUT_SECONDS="1")
        )
        await asked.wait()
        async with asyncio.timeout(10):
            await apply_bodies(pool, [encoded(person_body(event_id="fact-1"))])
        code, told = await command
        forever.set()
    assert code == 1
    assert "if Vibes sends the test event all the same, it is applied as a fact" in told
    assert await pool.fetchval("SELECT count(*) FROM test_events") == 0


async def test_without_a_database_nothing_is_sent_unless_that_is_asked_for(tmp_path: Path) -> None:
    sent = 0

    async def count() -> web.Response:
        nonlocal sent
        sent += 1
        return await queued()

    nowhere = "postgresql://127.0.0.1:1/x"
    async with vibes(count) as url:
        code, told = await ask_for_test(nowhere, url, tmp_path)
        assert (code, sent) == (1, 0)
        assert "DATABASE_URL: Postgres cannot be reached" in told
        assert "--apply-as-fact sends it unrecorded" in told
        code, told = await ask_for_test(nowhere, url, tmp_path, "--apply-as-fact")
        assert (code, sent) == (0, 1)


async def test_old_test_events_are_forgotten_when_another_is_asked_for(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO test_events VALUES ('acme', 'old', 'person_added', now() - interval '31 days'), "
        "('acme', 'young', 'person_added', now() - interval '29 days')"
    )
    await pool.execute(statement("remember_test_event"), "acme", "new", "person_added", 30)
    rows = await pool.fetch("SELECT event_id FROM test_events ORDER BY 1")
    assert [row["event_id"] for row in rows] == ["new", "young"]
