"""What analysts may read, as docs/data-dictionary.md: `python -m tests.support.data_dictionary` writes it.

The explanations are the database's own COMMENTs, the results are those of a made-up year. How fast the views are is
taken from docs/performance/analytics.json, and put there from a report of `make bench ONLY=analytics` if it is named:
`python -m tests.support.data_dictionary .run/bench-analytics.json`.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.figures import machine_line
from deploy.local.postgres import LocalPostgres
from deploy.local.workspace import Workspace
from runtime.migrations import migrate
from runtime.postgres import Pool, create_pool, statement
from simulator.history.delivery import Delivery
from simulator.history.history import History
from tests.support.analytics import COMPANY, contract, examples, fill

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "data-dictionary.md"
FIGURES = ROOT / "docs" / "performance" / "analytics.json"
EVENTS = 3000

_INTRODUCTION = """# Data dictionary

<!-- Written by `python -m tests.support.data_dictionary`: change the COMMENTs, or the questions in
schemas/analytics/examples/, and run it again. -->

What the events database holds for analysts: the views of the schema `analytics`. Their names and columns are a promise
with a version, now {version} (`SELECT analytics.contract_version()`,
[contract](../schemas/analytics/contract.json)): when one changes, the version does. All days, months and hours are UTC,
all moments have a time zone: for days of your own, use `moment AT TIME ZONE 'Europe/Berlin'`.

**Getting in.** An administrator makes a login: `SELECT analyst_login('ann')` in the database, then `\\password ann`. It
may read the views here and the tables below, and nothing else; it cannot write; a statement of it ends after a minute
(a session may set its own `statement_timeout`). Phone numbers are shown by their last four digits, to logins made with
`analyst_login('ann', unmasked => true)` in full.

**What the numbers mean.** Callbacks come late, twice and in any order; each is counted once, by its own dates, and the
numbers do not depend on the order. Sums are added up every 15 seconds or so: `data_freshness` tells how far that is.
What is erased about a person leaves the rows about them and their stays; how many callbacks came stays as it was.

**Tables.** Beside the views you may read the tables and views of the schema `public`, but for those about erasures and
the columns with phone numbers or bodies; they may change with any release. They have COMMENTs too (`\\d+` in psql).
"""


async def document(pool: Pool, figures: Mapping[str, Any] | None) -> str:
    """Return the dictionary, of a database with the sample year in it."""
    comments = await _comments(pool)
    parts = [_INTRODUCTION.format(version=contract()["version"]), _overview(comments), _speed(figures)]
    parts += [await _section(pool, comments, *result) async for result in _results(pool)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts if part)


async def prepare(pool: Pool, note: Callable[[Delivery], None] | None = None) -> History:
    """Fill a database with what the results are taken from."""
    history = await fill(pool, EVENTS, note)
    at = datetime(2024, 12, 31, 12, tzinfo=UTC)
    calls = [(200, None, 1), (200, None, 1), (404, None, 1), (None, "timeout", 1), (200, None, 2), (429, None, 1)]
    rows = [(at, COMPANY, None, "GET", "/persons/{person_key}", *call, 0.25) for call in calls]
    await pool.execute(statement("person_api_record_calls"), *map(list, zip(*rows, strict=True)))
    return history


def _speed(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return ""
    rows = [(f"`{view}`", f"{seconds:.3f}") for view, seconds in figures["p95_seconds"].items()]
    return (
        f"## How fast they are\n\nThe question below of each view, with {figures['events']:,} events in the log and "
        f"{figures['stays']:,} stays, {figures['machine']}: the slowest but one of {figures['runs']} runs (p95), in "
        f"seconds.\n\n{_table(('view', 's'), rows)}"
    )


def _overview(comments: Mapping[str, str]) -> str:
    rows = [(f"[{view}](#{view})", comments[view].split(". ")[0].rstrip(".") + ".") for view in contract()["views"]]
    return f"## Views\n\n{_table(('view', 'what'), rows)}"


async def _section(
    pool: Pool, comments: Mapping[str, str], view: str, question: str, query: str, rows: Sequence[Mapping[str, Any]]
) -> str:
    columns = await pool.fetch(
        "SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) FROM pg_attribute "
        "WHERE attrelid = ('analytics.' || $1::text)::regclass AND attnum > 0 ORDER BY attnum",
        view,
    )
    types = {"timestamp with time zone": "timestamptz"}
    explained = [(f"`{name}`", types.get(kind, kind), text) for name, kind, text in columns]
    table = _table(("column", "type", "meaning"), explained)
    result = _table(tuple(rows[0]), [tuple(map(_shown, row.values())) for row in rows]) if rows else "(no rows)"
    return f"## {view}\n\n{comments[view]}\n\n{table}\n\n**{question}**\n\n```sql\n{query}\n```\n\n{result}"


async def _comments(pool: Pool) -> dict[str, str]:
    rows = await pool.fetch(
        "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class WHERE relnamespace = 'analytics'::regnamespace"
    )
    return dict(map(tuple, rows))


async def _results(pool: Pool) -> AsyncIterator[tuple[str, str, str, Sequence[Mapping[str, Any]]]]:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL ROLE vibes_analyst")
        for example in examples():
            rows = await connection.fetch(example.query)
            yield example.view, example.question, example.query, [dict(row) for row in rows]


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00"
        case date():
            return value.isoformat()
        case Decimal() | float():
            return f"{value:,}"
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
    return str(value)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([_line(head), f"|{'---|' * len(head)}", *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("\n", " ")


async def _write() -> None:
    with Workspace() as workspace:
        server = LocalPostgres(workspace, durable=False)
        server.start()
        url = server.create_database("dictionary")
        await migrate(url)
        async with create_pool(url, "dictionary", min_size=1, max_size=4) as pool:
            await prepare(pool)
            DOCUMENT.write_text(await document(pool, figures()))


def take_figures(report: Path) -> None:
    """Keep what a report of the benchmarks says of the views."""
    told = json.loads(report.read_text())
    kept = {"machine": machine_line(told), **told["analytics"]}
    FIGURES.write_text(json.dumps(kept, indent=2) + "\n")


def figures() -> dict[str, Any] | None:
    """Return what was measured, if anything was."""
    return dict(json.loads(FIGURES.read_text())) if FIGURES.exists() else None


if __name__ == "__main__":
    for named in sys.argv[1:]:
        take_figures(Path(named))
    asyncio.run(_write())
