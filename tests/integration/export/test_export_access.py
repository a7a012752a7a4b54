"""What an export may see is what the user of the database may see."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.postgres import Connection
from schemas.errors import ServiceError
from tests.support.exporting import duck, everything, export
from tests.support.least_privilege import Login


@pytest.fixture
async def login(history_url: str, connection: Connection) -> AsyncIterator[Login]:
    """An analyst who sees no numbers."""
    login = Login(f"analyst_{secrets.token_hex(6)}", secrets.token_urlsafe(16))
    await connection.execute(f"SELECT analyst_login('{login.user}')")
    await connection.execute(f"ALTER ROLE {login.user} PASSWORD '{login.password}'")
    yield login
    await connection.execute(f"DROP OWNED BY {login.user}; DROP ROLE {login.user}")


@pytest.fixture
def analyst_url(history_url: str, login: Login) -> str:
    """The database with the history, as the analyst reaches it."""
    return login.at(history_url)


async def test_an_analyst_exports_masked_numbers_and_the_log_without_bodies(
    analyst_url: str, connection: Connection, tmp_path: Path
) -> None:
    await export(analyst_url, tmp_path, "events", "current_subscribers")
    numbers = {row["mdn"] for row in await connection.fetch("SELECT mdn FROM persons WHERE mdn IS NOT NULL")}
    told = {row["mdn"] for row in duck(tmp_path, "SELECT mdn FROM {current_subscribers} WHERE mdn IS NOT NULL")}
    assert told
    assert not told & numbers
    assert {number[:3] for number in told} == {"***"}
    assert duck(tmp_path, everything("events"))


async def test_what_is_not_granted_is_told_and_nothing_of_it_exported(analyst_url: str, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"counting events: permission denied .* leave it out with --only"):
        await export(analyst_url, tmp_path, "events", payloads=True)
    assert not (tmp_path / "events").exists()


async def test_a_statement_that_takes_too_long_for_the_role_is_told(
    analyst_url: str, login: Login, connection: Connection, tmp_path: Path
) -> None:
    await connection.execute(f"ALTER ROLE {login.user} SET statement_timeout = '1s'")
    async with connection.transaction():
        await connection.execute("LOCK TABLE callback_events")
        with pytest.raises(ServiceError, match=r"counting events: canceling .* fewer days with --since"):
            await export(analyst_url, tmp_path, "events")
