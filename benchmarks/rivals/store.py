"""The tables of the FastStream rival, and its one transaction an event.

The promise is the pipeline's: an event counts once, the log holds it, persons and stays are up to date. The tables
have the columns and keys that takes and no more.
"""

from datetime import datetime
from typing import Any

import asyncpg
import orjson

_TABLES = """
CREATE SCHEMA IF NOT EXISTS rival;
CREATE TABLE IF NOT EXISTS rival.ledger (
    company_key text, callback_type text, event_id text, seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_key, callback_type, event_id)
);
CREATE TABLE IF NOT EXISTS rival.events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_key text NOT NULL, callback_type text NOT NULL, event_id text NOT NULL,
    event_date timestamptz, received_at timestamptz NOT NULL DEFAULT now(), payload jsonb NOT NULL
);
CREATE TABLE IF NOT EXISTS rival.persons (
    company_key text, person_id text, external_person_id text, mdn text, custom_fields jsonb, updated_at timestamptz,
    PRIMARY KEY (company_key, person_id)
);
CREATE TABLE IF NOT EXISTS rival.subscriptions (
    company_key text, person_id text, list_id text, opt_in_date timestamptz,
    opt_out_date timestamptz, opt_out_reason text,
    PRIMARY KEY (company_key, person_id, list_id, opt_in_date)
);
"""

# One statement is one transaction, and one round trip instead of six: the best case of an event at a time.
_CLAIM = """
WITH claimed AS (
    INSERT INTO rival.ledger (company_key, callback_type, event_id) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING RETURNING company_key
), logged AS (
    INSERT INTO rival.events (company_key, callback_type, event_id, event_date, payload)
    SELECT company_key, $2, $3, $4::timestamptz, $5::jsonb FROM claimed
)
"""
_OTHER = f"{_CLAIM} SELECT FROM claimed"
_SUBSCRIPTION = f"""{_CLAIM}, person AS (
    INSERT INTO rival.persons AS held (company_key, person_id, external_person_id, mdn)
    SELECT company_key, $6, $7, $8 FROM claimed
    ON CONFLICT (company_key, person_id) DO UPDATE
    SET external_person_id = coalesce(excluded.external_person_id, held.external_person_id),
        mdn = coalesce(excluded.mdn, held.mdn)
)
INSERT INTO rival.subscriptions AS held (company_key, person_id, list_id, opt_in_date, opt_out_date, opt_out_reason)
SELECT company_key, $6, $9, $10, $11, $12 FROM claimed
ON CONFLICT (company_key, person_id, list_id, opt_in_date) DO UPDATE
SET opt_out_date = coalesce(excluded.opt_out_date, held.opt_out_date),
    opt_out_reason = coalesce(excluded.opt_out_reason, held.opt_out_reason)
"""  # noqa: S608 - made of constants
_PERSON = f"""{_CLAIM}
INSERT INTO rival.persons AS held (company_key, person_id, external_person_id, mdn, custom_fields, updated_at)
SELECT company_key, $6, $7, $8, $9::jsonb, $10 FROM claimed
ON CONFLICT (company_key, person_id) DO UPDATE
SET external_person_id = excluded.external_person_id, mdn = excluded.mdn,
    custom_fields = excluded.custom_fields, updated_at = excluded.updated_at
WHERE held.updated_at IS NULL OR held.updated_at <= excluded.updated_at
"""  # noqa: S608 - made of constants

Event = dict[str, Any]


async def create_tables(pool: asyncpg.Pool) -> None:
    """Create what is not there yet."""
    await pool.execute(_TABLES)


async def apply(pool: asyncpg.Pool, company_key: str, body: bytes) -> None:
    """Apply one event in a transaction of its own. Raises asyncpg's errors, KeyError and ValueError."""
    event = orjson.loads(body)
    statement, own = _statement(event)
    claim = (company_key, _type(event), event["event_id"], _time(event.get("event_date")), body.decode())
    await pool.execute(statement, *claim, *own)


def _statement(event: Event) -> tuple[str, tuple[Any, ...]]:
    """Return what to execute, and its parameters after those of the claim."""
    match _type(event):
        case "subscription_added" | "subscription_removed":
            stay = event["subscription"]
            return _SUBSCRIPTION, (
                *_who(stay["person"], "id"),
                stay["subscription_list"]["id"],
                _time(stay["opt_in_date"]),
                _time(stay.get("opt_out_date")),
                stay.get("opt_out_reason"),
            )
        case "person_added" | "person_updated":
            person = event["person"]
            fields = orjson.dumps(person.get("custom_fields")).decode()
            return _PERSON, (*_who(person, "person_id"), fields, _time(person.get("updated_at")))
        case _:
            return _OTHER, ()


def _type(event: Event) -> str:
    return str(event.get("callback_type") or event["event_type"])


def _who(person: Event, key: str) -> tuple[str, str | None, str | None]:
    external = person.get("external_person_id") or person.get("external_id")
    return person[key], external, (person.get("mobile_phone") or {}).get("mdn")


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
