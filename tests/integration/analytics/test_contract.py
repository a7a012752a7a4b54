"""The names and columns of the views are a promise with a version, and each is explained."""

from runtime.postgres import Pool
from tests.support.analytics import contract, digest, examples, pinned_digests
from tests.support.data_dictionary import DOCUMENT, document, figures

CHANGED = (
    "a view of schema analytics changed: write the columns as they are into schemas/analytics/contract.json, raise its "
    "version there and in analytics.contract_version(), and pin the digest of the new version in versions.json"
)


async def columns(pool: Pool) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for view, name, kind in await pool.fetch("""
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'analytics'::regnamespace
        ORDER BY c.relname, a.attnum
    """):
        found.setdefault(view, {})[name] = kind
    return found


async def test_views_and_columns_are_those_of_the_contract(pool: Pool) -> None:
    shown, promised = await columns(pool), contract()["views"]
    assert shown == promised, CHANGED
    assert {view: list(each) for view, each in shown.items()} == {view: list(promised[view]) for view in shown}, CHANGED


async def test_a_contract_that_changes_has_another_version(pool: Pool) -> None:
    promised = contract()
    assert pinned_digests()[str(promised["version"])] == digest(promised["views"]), CHANGED
    assert max(map(int, pinned_digests())) == promised["version"]
    assert await pool.fetchval("SELECT analytics.contract_version()") == promised["version"]


async def test_every_view_column_and_function_is_explained(pool: Pool) -> None:
    silent = await pool.fetch("""
        SELECT c.relname, a.attname
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'analytics'::regnamespace
          AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL)
        UNION ALL
        SELECT proname, NULL FROM pg_proc
        WHERE pronamespace = 'analytics'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
    """)
    assert [tuple(each) for each in silent] == []


async def test_every_example_has_an_answer(pool: Pool) -> None:
    for example in examples():
        assert example.question.endswith("?")
        assert f"analytics.{example.view}" in example.query
        assert await pool.fetch(example.query), example.view


async def test_the_data_dictionary_is_what_the_database_says(pool: Pool) -> None:
    assert DOCUMENT.read_text() == await document(pool, figures()), "run python -m tests.support.data_dictionary"
