"""Rows of a long history, made inside PostgreSQL: as if so many events had been received and applied this month.

Messages, log, persons, identities and stays tell the same story, in shapes and sizes of real ones; the keys in the
ledger are only as many, and in as little order. The tables are loaded without indexes, which are built afterwards and
are then as migrated; nothing of the loading is left to be done by PostgreSQL when it is over.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import asyncpg

from benchmarks import bodies
from benchmarks.growth.schema import Index, declared, drop_indexes, require_same
from benchmarks.traffic import PERSONS
from deploy.local.errors import ServiceError
from runtime.postgres import Connection

COMPANY = "bench"
"""That of benchmarks.bodies."""
EVENTS_WITH_PAYLOAD = 1_000_000
"""A longer history has empty payloads: they are most of what has to be written, and nothing apply does reads one."""
_EVENTS_A_MESSAGE = 100
_EVENTS_A_PERSON = 5
_PARTS = (
    ("callback_events",),
    ("persons", "person_identities"),
    ("subscriptions",),
    ("callback_ledger",),
    ("callback_messages",),
)
"""Tables that are made one after the other; what takes longest comes first."""
_AT_ONCE = 2
_NOTED = ("subscriptions", "callback_messages")
"""Those whose new rows are added up for analysts: else all of the history would be, during the measurement."""
_READ = ("persons", "person_identities")
"""Those of whose old rows apply reads more than a few."""
INDEXED = tuple(chain.from_iterable(_PARTS))
"""All tables of a history. With each event apply looks into indexes of most of them."""
CHANGED = (*_READ, "subscriptions")
"""Those whose old rows apply reads and changes."""
_FOR_THE_LOAD = {"synchronous_commit": "off", "maintenance_work_mem": "512MB", "jit": "off", "timezone": "UTC"}
_STORY = """
CREATE TEMPORARY TABLE history AS
SELECT
    $1::text AS company_key, $2::bigint AS messages, $3::bigint AS persons,
    $4::timestamptz AS began, $5::timestamptz AS ended, $6::interval AS behind
"""
_TABLES = """
CREATE TEMPORARY TABLE places (
    place integer, callback_type text, subscription boolean, reason text, payload jsonb
);
CREATE TEMPORARY TABLE person_keys (person bigint, person_key text);
"""
_FORGET_CHANGES = """
SELECT pg_stat_reset_single_table_counters(id)
FROM (SELECT $1::text::regclass UNION SELECT relid FROM pg_partition_tree($1::text::regclass)) AS tables (id)
"""
_LOADED = """
SELECT
    (SELECT count(*) FROM callback_ledger) AS ledger,
    (SELECT count(*) FROM callback_events_default) AS outside,
    (SELECT count(*)
     FROM callback_events AS e
     JOIN persons AS p ON p.company_key = e.company_key AND p.person_id = e.person_id
     WHERE e.message_id = (SELECT max(message_id::text)::uuid FROM callback_messages)) AS sound
"""


async def make_history(database_url: str, events: int) -> None:
    """Make the rows of so many events, the last one received now, in an empty migrated database.

    `events` is a multiple of 500. Vibes' clock stands where benchmarks.traffic begins. Raises ServiceError when the
    schema is not as it was, or the rows do not belong together; and what asyncpg raises.
    """
    ended = datetime.now(UTC)
    connection = await _connect(database_url)
    try:
        before = await declared(connection)
        indexes = await drop_indexes(connection, INDEXED)
        await _load(database_url, events, ended, indexes)
        await require_same(connection, before)
        await _require_sound(connection, events)
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def persons_of(events: int) -> int:
    """Return how many persons a history is about."""
    return events // _EVENTS_A_PERSON


async def _load(database_url: str, events: int, ended: datetime, indexes: Sequence[Index]) -> None:
    """Make all tables, on several connections, each of which takes the next part when it is done with one."""
    parts = iter(_PARTS)
    try:
        async with asyncio.TaskGroup() as connections:
            for _ in range(_AT_ONCE):
                connections.create_task(_load_parts(database_url, events, ended, parts, indexes))
    except* (asyncpg.PostgresError, OSError) as errors:
        raise ServiceError(f"PostgreSQL did not take the rows of the history: {errors.exceptions[0]}") from errors


async def _load_parts(
    database_url: str, events: int, ended: datetime, parts: Iterator[tuple[str, ...]], indexes: Sequence[Index]
) -> None:
    connection = await _connect(database_url)
    try:
        await _tell_story(connection, events, ended)
        for table in chain.from_iterable(parts):
            # Emptied in the transaction that fills it, a table is written to the disk only, not to the log as well,
            # where the server's wal_level is minimal.
            async with connection.transaction():
                await connection.execute(f"TRUNCATE {table}")
                if table in _NOTED:
                    await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER analytics_added")
                await connection.execute(_sql(table))
                if table in _NOTED:
                    await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER analytics_added")
                for index in indexes:
                    if index.table == table:
                        await connection.execute(index.create)
            await _settle(connection, table)
    finally:
        await connection.close()


async def _settle(connection: Connection, table: str) -> None:
    """Leave nothing to autovacuum, which else would come upon all these rows during the measurement."""
    if table in _READ:
        await connection.execute(f"VACUUM (ANALYZE) {table}")
    else:
        # To vacuum it would write all its pages once more, and whole to the log.
        await connection.execute(f"ANALYZE {table}")
        await connection.execute("SELECT pg_stat_force_next_flush()")
        await connection.execute(_FORGET_CHANGES, table)


async def _tell_story(connection: Connection, events: int, ended: datetime) -> None:
    began = ended.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    behind = ended - datetime.fromisoformat(bodies.moment(0))
    messages, persons = events // _EVENTS_A_MESSAGE, persons_of(events)
    await connection.execute(_STORY, COMPANY, messages, persons, began, ended, behind)
    await connection.execute(_TABLES)
    places: Iterator[tuple[int, str, bool, str | None, str]] = map(_place, range(_EVENTS_A_MESSAGE))
    if events > EVENTS_WITH_PAYLOAD:
        places = ((*place[:-1], "{}") for place in places)
    await connection.copy_records_to_table("places", records=places)
    keys = [(person, bodies.scattered(f"person/{person}")) for person in range(0, min(PERSONS, 2 * persons), 2)]
    await connection.copy_records_to_table("person_keys", records=keys)
    await connection.execute("ANALYZE places, person_keys")
    await connection.execute(_sql("vocabulary"))


def _place(place: int) -> tuple[int, str, bool, str | None, str]:
    """Return a row of `places`: of ten events four are opt-ins, each followed by its opt-out."""
    kinds = {8: ("person_updated", None), 9: ("ack_participant_added", "PENDING")}
    subscription = ("subscription_removed", "user_opt_out") if place % 2 else ("subscription_added", None)
    kind, reason = kinds.get(place % 10, subscription)
    # Before the traffic: all sign-ups of one minute are summed up anew when one more comes.
    number, person = place - _EVENTS_A_MESSAGE, place // 2
    head = bodies.head_of(bodies.scattered(f"history/{place}"), kind, number)
    match kind:
        case "person_updated":
            payload = bodies.person_state(head, number, person)
        case "ack_participant_added":
            payload = bodies.participant(head, number, person, str(reason))
        case _:
            payload = bodies.subscription(head, person, ("1200", bodies.moment(number)), number if place % 2 else None)
    return place, kind, kind.startswith("subscription"), reason, payload


async def _require_sound(connection: Connection, events: int) -> None:
    (row,) = await connection.fetch(_LOADED)
    found: dict[str, int] = dict(row)
    wanted = {"ledger": events, "outside": 0, "sound": _EVENTS_A_MESSAGE}
    if found != wanted:
        raise ServiceError(f"the rows of the history do not belong together: {found} should be {wanted}")


async def _connect(database_url: str) -> Connection:
    return await asyncpg.connect(database_url, server_settings=_FOR_THE_LOAD)


def _sql(name: str) -> str:
    return Path(__file__).with_name("sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")
