"""The tables of the FastStream rival, and how it applies an event: a transaction, statement by statement.

The promise is the pipeline's: an event counts once, the log holds it, persons and stays are up to date. The tables
have the columns and keys that takes, and the indexes that answer what users ask of the pipeline's: the events of a
person, the person with an external id or a number, who joined a list and when.
"""

from benchmarks.rivals.event import read
from runtime.postgres import Pool

_TABLES = """
CREATE SCHEMA IF NOT EXISTS rival;
CREATE TABLE IF NOT EXISTS rival.ledger (
    company_key text, callback_type text, event_id text, seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_key, callback_type, event_id)
);
CREATE TABLE IF NOT EXISTS rival.events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_key text NOT NULL, callback_type text NOT NULL, event_id text NOT NULL,
    event_date timestamptz, received_at timestamptz NOT NULL DEFAULT now(), person_id text, payload jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS events_person ON rival.events (company_key, person_id);
CREATE TABLE IF NOT EXISTS rival.persons (
    company_key text, person_id text, external_person_id text, mdn text, custom_fields jsonb, updated_at timestamptz,
    PRIMARY KEY (company_key, person_id)
);
CREATE INDEX IF NOT EXISTS persons_external_person_id ON rival.persons (company_key, external_person_id);
CREATE INDEX IF NOT EXISTS persons_mdn ON rival.persons (company_key, mdn);
CREATE TABLE IF NOT EXISTS rival.subscriptions (
    company_key text, person_id text, list_id text, opt_in_date timestamptz,
    opt_out_date timestamptz, opt_out_reason text,
    PRIMARY KEY (company_key, person_id, list_id, opt_in_date)
);
CREATE INDEX IF NOT EXISTS subscriptions_list ON rival.subscriptions (company_key, list_id, opt_in_date);
"""

_CLAIM = """
INSERT INTO rival.ledger (company_key, callback_type, event_id) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING true
"""
_LOG = """
INSERT INTO rival.events (company_key, callback_type, event_id, event_date, person_id, payload)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_SEEN = """
INSERT INTO rival.persons AS held (company_key, person_id, external_person_id, mdn) VALUES ($1, $2, $3, $4)
ON CONFLICT (company_key, person_id) DO UPDATE
SET external_person_id = coalesce(excluded.external_person_id, held.external_person_id),
    mdn = coalesce(excluded.mdn, held.mdn)
"""
_PROFILE = """
INSERT INTO rival.persons AS held (company_key, person_id, external_person_id, mdn, custom_fields, updated_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (company_key, person_id) DO UPDATE
SET external_person_id = excluded.external_person_id, mdn = excluded.mdn,
    custom_fields = excluded.custom_fields, updated_at = excluded.updated_at
WHERE held.updated_at IS NULL OR held.updated_at <= excluded.updated_at
"""
_STAY = """
INSERT INTO rival.subscriptions AS held (company_key, person_id, list_id, opt_in_date, opt_out_date, opt_out_reason)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (company_key, person_id, list_id, opt_in_date) DO UPDATE
SET opt_out_date = coalesce(excluded.opt_out_date, held.opt_out_date),
    opt_out_reason = coalesce(excluded.opt_out_reason, held.opt_out_reason)
"""


async def create_tables(pool: Pool) -> None:
    """Create what is not there yet."""
    await pool.execute(_TABLES)


async def apply(pool: Pool, company_key: str, body: bytes) -> None:
    """Apply one event in a transaction of its own. Raises asyncpg's errors, KeyError and ValueError."""
    event = read(body)
    person_id = event.person[0]
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(_CLAIM, company_key, event.callback_type, event.event_id):
            return
        await connection.execute(
            _LOG, company_key, event.callback_type, event.event_id, event.event_date, person_id, event.body
        )
        if event.profile:
            await connection.execute(_PROFILE, company_key, *event.person, *event.profile)
        if event.stay:
            await connection.execute(_SEEN, company_key, *event.person)
            await connection.execute(_STAY, company_key, person_id, *event.stay)
