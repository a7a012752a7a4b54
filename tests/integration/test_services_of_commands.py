"""A command whose database falls silent says so, and ends."""

import psutil
import pytest

from cli import services
from runtime.postgres import Connection
from runtime.settings import Settings
from schemas.errors import ServiceError


@pytest.fixture
def settings(own_database_url: str) -> Settings:
    return Settings(DATABASE_URL=own_database_url)


async def test_before_the_schema_was_looked_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(_connection: Connection) -> list[str]:
        raise TimeoutError

    monkeypatch.setattr(services, "check_schema", check)
    with pytest.raises(ServiceError, match="DATABASE_URL: Postgres cannot be reached"):
        async with services.postgres(settings):
            pytest.fail("a database that does not answer was given to the command")


async def test_while_the_command_works_its_own_error_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_CONNECT_SECONDS", 1)
    silenced: list[psutil.Process] = []

    async def work() -> None:
        async with services.postgres(settings) as connection:
            # Given a server that does not even answer a goodbye
            silenced.append(psutil.Process(connection.get_server_pid()))
            silenced[0].suspend()
            raise ServiceError("what the command says")

    with pytest.raises(ServiceError, match="what the command says"):
        await work()
    silenced[0].resume()
