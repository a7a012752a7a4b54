"""Fixtures of the person worker's specifications."""

from collections.abc import AsyncIterator
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from runtime.companies import Companies, load_companies
from runtime.settings import Settings, load_settings
from tests.integration.person_sync.vibes_stand_in import VibesStandIn, run_vibes
from tests.integration.person_sync.world import World


@pytest.fixture
async def vibes() -> AsyncIterator[VibesStandIn]:
    async with run_vibes() as stand_in:
        yield stand_in


@pytest.fixture
def settings(database_url: str, amqp_url: str) -> Settings:
    """Quick to give up a call, and no sweep after the first: a test that wants one asks for it."""
    return load_settings(
        database_url=database_url,
        amqp_url=amqp_url,
        person_sync_admin_port=0,
        person_sync_sweep_seconds=3600,
        person_api_attempts=2,
        drain_seconds=10,
    )


@pytest.fixture
def companies_file(vibes: VibesStandIn, tmp_path: Path) -> Path:
    """Two companies with an account at Vibes, and one without."""
    path = tmp_path / "companies.toml"
    text = ""
    for number, name in enumerate(("acme", "other", "without-api")):
        text += f'[[companies]]\ncompany_key = "{name}"\nregion = "US"\ndefault_country = "US"\n'
        text += f'endpoints = [{{ name = "main", key_sha256 = "{number:064x}" }}]\n'
        if name != "without-api":
            text += (
                f'api_base_url = "{vibes.url}"\napi_username = "{name}@example.com"\napi_password_env = "PASSWORD"\n'
                "sync = { delay_seconds = 0 }\n"
            )
    path.write_text(text)
    return path


@pytest.fixture
def companies(companies_file: Path, monkeypatch: pytest.MonkeyPatch) -> Companies:
    monkeypatch.setenv("PASSWORD", "secret")
    return load_companies(companies_file)


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with (
        asyncpg.create_pool(settings.database_url.get_secret_value(), min_size=1, max_size=4) as pool,
        await aio_pika.connect(settings.amqp_url.get_secret_value()) as broker,
    ):
        yield World(pool, await broker.channel(), settings)
