"""The roles of the database: made where that is allowed, and given what they need each time it is migrated."""

import asyncio
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from deploy.local import postgres as local_postgres
from deploy.local.postgres import LocalPostgres
from deploy.local.workspace import Workspace
from runtime.migrations import migrate
from tests.support.least_privilege import ROLES_SCRIPT, Login

ROLES = ["vibes_analyst", "vibes_analyst_unmasked", "vibes_operator", "vibes_worker"]


@pytest.fixture
def server() -> Iterator[LocalPostgres]:
    """A cluster in which no role of ours has ever been made."""
    with Workspace() as workspace:
        server = LocalPostgres(workspace, durable=False)
        server.start()
        yield server


def run_roles_script(server: LocalPostgres, database: str) -> None:
    result = subprocess.run(
        [
            *(local_postgres._programs() / "psql", "-Xq", f"--dbname={server.url}"),
            *(f"--variable=database={database}", f"--file={ROLES_SCRIPT}"),
        ],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


def with_password(server: LocalPostgres, user: str) -> Login:
    login = Login(user, secrets.token_urlsafe(16))
    server.execute(f"ALTER ROLE {user} LOGIN PASSWORD '{login.password}'")
    return login


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def roles_there(server: LocalPostgres) -> list[str]:
    return server.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^vibes_' ORDER BY rolname").splitlines()


async def test_a_user_who_may_not_make_roles_migrates_all_the_same(server: LocalPostgres) -> None:
    server.execute("CREATE ROLE plain")
    url = with_password(server, "plain").at(server.create_database("theirs"))
    server.execute("ALTER DATABASE theirs OWNER TO plain")
    await migrate(url)
    assert roles_there(server) == []

    # Somebody else makes them: the next migration gives them what they need.
    for role in ROLES:
        server.execute(f"CREATE ROLE {role} NOLOGIN")
    assert await migrate(url) == []
    async with connected(url) as connection:
        assert await connection.fetchval("SELECT has_table_privilege('vibes_worker', 'persons', 'UPDATE')")


async def test_databases_of_one_cluster_share_the_roles_even_when_migrated_at_once(server: LocalPostgres) -> None:
    urls = [server.create_database(f"vibes_{number}") for number in range(3)]
    await asyncio.gather(*map(migrate, urls))
    assert roles_there(server) == ROLES
    for url in urls:
        async with connected(url) as connection:
            assert await connection.fetchval("SELECT has_table_privilege('vibes_analyst', 'subscriptions', 'SELECT')")
            assert not await connection.fetchval(
                "SELECT has_column_privilege('vibes_analyst', 'persons', 'mdn', 'SELECT')"
            )


async def test_the_roles_of_the_script_and_what_comes_later(server: LocalPostgres) -> None:
    run_roles_script(server, "vibes")
    run_roles_script(server, "vibes")
    migrating, applying, operating = (
        with_password(server, user).at(server.url, "/vibes") for user in ("vibes_migrate", "vibes_apply", "vibes_cli")
    )
    await migrate(migrating)

    async with connected(migrating) as owner:
        # What is made belongs to the group, not to the login.
        owners = await owner.fetch("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        assert [row["tableowner"] for row in owners] == ["vibes_owner"]
        # A table of a later release, and another month.
        await owner.execute("CREATE TABLE later (id int)")
        await owner.execute("SELECT create_month_partitions('callback_events', '2035-01-01', 1)")
        # And somebody has been too generous.
        await owner.execute("GRANT DELETE ON callback_events TO vibes_worker; GRANT ALL ON persons TO vibes_analyst")
    await migrate(migrating)

    async with connected(applying) as worker:
        await worker.execute("INSERT INTO later VALUES (1)")
        for refused in ("DELETE FROM callback_events", "DELETE FROM callback_events_2035_01"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await worker.execute(refused)
    async with connected(operating) as operator:
        await operator.execute("UPDATE callback_events_2035_01 SET payload = '{}'")
        assert not await operator.fetchval("SELECT has_table_privilege('vibes_analyst', 'persons', 'UPDATE')")

    # Who is in none of the roles does not get in at all.
    server.execute("CREATE ROLE stranger")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(with_password(server, "stranger").at(server.url, "/vibes"))


async def test_a_database_of_before_is_handed_over_to_the_group(server: LocalPostgres) -> None:
    server.execute("CREATE ROLE vibes")
    before = with_password(server, "vibes")
    url = before.at(server.create_database("vibes"))
    server.execute("ALTER DATABASE vibes OWNER TO vibes")
    await migrate(url)

    run_roles_script(server, "vibes")
    async with connected(Login(server._user, server._password).at(url)) as administrator:
        await administrator.execute("REASSIGN OWNED BY vibes TO vibes_owner")
    assert await migrate(with_password(server, "vibes_migrate").at(url)) == []

    async with connected(with_password(server, "vibes_apply").at(url)) as worker:
        assert await worker.fetchval("SELECT count(*) FROM persons") == 0
