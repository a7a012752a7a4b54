"""What an analyst's login may do: read the views and the documented tables, no phone numbers, not for ever."""

import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from deploy.local.postgres import PostgresServer
from runtime.postgres import Pool, connect
from tests.integration.analytics.conftest import Year
from tests.support.analytics import contract
from tests.support.least_privilege import Login


async def login(pool: Pool, *, unmasked: bool) -> Login:
    made = Login(f"analyst_{secrets.token_hex(4)}", secrets.token_urlsafe(16))
    await pool.execute("SELECT analyst_login($1, $2)", made.user, unmasked)
    await pool.execute(f"ALTER ROLE {made.user} PASSWORD '{made.password}'")
    return made


@pytest.fixture
def made(postgres: PostgresServer, year: Year) -> Iterator[list[Login]]:
    logins: list[Login] = []
    yield logins
    database = year.url.rsplit("/", 1)[1]
    for each in logins:
        postgres.execute(f"REVOKE ALL ON DATABASE {database} FROM {each.user}")
        postgres.execute(f"DROP ROLE {each.user}")


@pytest.fixture
async def analyst(pool: Pool, made: list[Login]) -> Login:
    made.append(await login(pool, unmasked=False))
    return made[-1]


@pytest.fixture
async def trusted(pool: Pool, made: list[Login]) -> Login:
    made.append(await login(pool, unmasked=True))
    return made[-1]


@asynccontextmanager
async def connected(year: Year, who: Login) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await connect(who.at(year.url), "test")
    try:
        yield connection
    finally:
        await connection.close()


async def readable(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, list[str]]:
    """Return every column of every table and view of ours that may be read."""
    rows = await connection.fetch("""
        SELECT c.oid::regclass::text AS relation, array_agg(a.attname::text) AS columns
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace::regnamespace::text IN ('public', 'analytics', 'analytics_store')
          AND c.relkind IN ('r', 'p', 'v', 'm')
          AND has_schema_privilege(c.relnamespace, 'USAGE')
          AND has_column_privilege(c.oid, a.attnum, 'SELECT')
        GROUP BY c.oid
    """)
    return {row["relation"]: row["columns"] for row in rows}


async def test_the_analyst_reads_every_view_of_the_contract(year: Year, analyst: Login) -> None:
    async with connected(year, analyst) as connection:
        may_read = await readable(connection)
        for view, columns in contract()["views"].items():
            assert set(may_read[f"analytics.{view}"]) == set(columns)
            await connection.fetch(f"SELECT * FROM analytics.{view} LIMIT 1")  # noqa: S608 - a view of ours
        assert "subscriptions" in may_read
        assert not any(relation.startswith(("analytics_store", "erasures", "erased")) for relation in may_read)


async def test_no_phone_number_is_in_anything_the_analyst_may_read(pool: Pool, year: Year, analyst: Login) -> None:
    numbers = {str(line["mdn"]) for line in year.ledger if line["kind"] == "person" and line["mdn"]}
    digits = re.compile("|".join(re.escape(number.removeprefix("+1")) for number in numbers))
    async with connected(year, analyst) as connection:
        for relation, columns in (await readable(connection)).items():
            if relation.startswith("pg_"):
                continue
            named = ", ".join(f'"{column}"' for column in columns)
            rows = await connection.fetch(f"SELECT {named} FROM {relation}")  # noqa: S608 - names of ours
            told = "\n".join(repr(value) for row in rows for value in row if isinstance(value, str))
            assert not digits.search(told), relation
        masked = await connection.fetch("SELECT mdn FROM analytics.persons_current WHERE mdn IS NOT NULL")
        assert masked
        assert all(re.fullmatch(r"\*\*\*\d{4}", row["mdn"]) for row in masked)


async def test_what_looks_like_a_number_in_words_and_fields_is_hidden_too(pool: Pool) -> None:
    async def words(text: str) -> str:
        return str(await pool.fetchval("SELECT analytics.masked_words($1)", text))

    assert await words("call me at 312-555-1234 or +13125551234") == "call me at *** or ***"
    assert await words("ann@example.com") == "***"
    assert await words("born 1950-12-01, please stop") == "born 1950-12-01, please stop"
    fields = await pool.fetchval("""SELECT analytics.masked_fields('{"zip": "60601", "home": 3125551234}')::text""")
    assert fields == '{"zip": "60601", "home": "***"}'
    assert await pool.fetchval("SELECT analytics.masked_fields('{}')::text") == "{}"


async def test_the_stronger_role_sees_the_numbers(year: Year, trusted: Login) -> None:
    numbers = {str(line["mdn"]) for line in year.ledger if line["kind"] == "person" and line["mdn"]}
    async with connected(year, trusted) as connection:
        shown = {row["mdn"] for row in await connection.fetch("SELECT mdn FROM analytics.persons_current")}
        assert numbers & shown
        assert await connection.fetchval("SELECT count(payload) FROM callback_events") > 0


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO subscriptions SELECT * FROM subscriptions LIMIT 1",
        "UPDATE callback_messages SET outcomes = ''",
        "DELETE FROM callback_events",
        "TRUNCATE persons",
        "CREATE TABLE analytics.mine (id int)",
        "CREATE TABLE mine (id int)",
        "DELETE FROM analytics.wallet_items",
        "SELECT analytics_store.roll_up()",
        "SELECT * FROM analytics_store.participations",
        "SELECT analyst_login('friend')",
        "SELECT mdn FROM persons",
        "SELECT payload FROM callback_events",
        "SELECT * FROM persons",
    ],
)
async def test_the_analyst_cannot_write_nor_look_behind_the_views(year: Year, analyst: Login, statement: str) -> None:
    async with connected(year, analyst) as connection:
        # Not even when they take back what is only a default.
        await connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_logins_start_read_only_and_in_utc_with_a_limit_of_a_minute(
    year: Year, analyst: Login, trusted: Login
) -> None:
    for who in (analyst, trusted):
        async with connected(year, who) as connection:
            shown = [await connection.fetchval(f"SHOW {name}") for name in ("statement_timeout", "timezone")]
            assert shown == ["1min", "UTC"]
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await connection.execute("CREATE TEMPORARY TABLE mine (id int)")


async def test_a_statement_that_takes_too_long_is_ended(pool: Pool, year: Year, analyst: Login) -> None:
    # Given a limit that a test can wait for
    await pool.execute(f"ALTER ROLE {analyst.user} SET statement_timeout = '200ms'")
    async with connected(year, analyst) as connection:
        with pytest.raises(asyncpg.QueryCanceledError):
            await connection.execute("SELECT count(*) FROM generate_series(1, 1000000000)")


async def test_what_an_administrator_has_set_stays_when_the_database_is_migrated_again(
    pool: Pool, year: Year, analyst: Login
) -> None:
    await pool.execute(f"ALTER ROLE {analyst.user} SET statement_timeout = '5s'")
    await pool.execute("SELECT grant_access()")
    await pool.execute("SELECT analyst_login($1)", analyst.user)
    async with connected(year, analyst) as connection:
        assert await connection.fetchval("SHOW statement_timeout") == "5s"
