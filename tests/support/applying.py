"""Apply callbacks to a database without a broker, and read back what came of it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from runtime.companies import Companies
from runtime.postgres import Connection, Pool
from schemas.broker_message import CallbackMessage, ReceivedCallback
from workers.apply.reading import Outcome, read_message
from workers.apply.settle import settle

COMPANIES = Companies.model_validate(
    {
        "companies": [
            {
                "company_key": "acme",
                "region": "US",
                "default_country": "US",
                "api_username": "user@example.com",
                "api_password_env": "NEVER_READ",
                "endpoints": [{"name": "main", "key_sha256": "0" * 64}],
            }
        ]
    }
)

_TABLES = (
    "callback_events",
    "callback_ledger",
    "callback_messages",
    "dead_letters",
    "persons",
    "person_identities",
    "subscriptions",
    "person_sync",
    "crm_persons",
    "person_api_calls",
)
STATE = {
    "persons": "SELECT * FROM persons ORDER BY person_uid",
    "person_identities": "SELECT * FROM person_identities ORDER BY company_key, kind, value",
    "subscriptions": "SELECT * FROM subscriptions ORDER BY person_uid, list_id, opt_in_date",
    "current_subscriptions": "SELECT * FROM current_subscriptions ORDER BY person_uid, list_id, opt_in_date",
    # Which of two bodies with one id came first is a matter of order; that both are there is not.
    "ledger": "SELECT callback_key, (SELECT array_agg(h ORDER BY h) FROM unnest(body_hash || variant_hashes) AS h) "
    "AS hashes FROM callback_ledger ORDER BY callback_key",
    "events": "SELECT company_key, callback_type, event_id, event_date, person_id, person_key, external_person_id, "
    "list_id, reason, payload - 'delivery_attempt' AS payload FROM callback_events "
    "ORDER BY company_key, callback_type, event_id, (payload - 'delivery_attempt')::text",
}
"""What must not depend on the order, number and batches of callbacks."""


def message(bodies: Iterable[bytes], company_key: str = "acme", **headers: str) -> CallbackMessage:
    """Return a broker message with these callbacks."""
    now = datetime.now(UTC)
    return CallbackMessage(
        uuid4(),
        company_key,
        "ingest-1",
        0,
        tuple(ReceivedCallback(body, now, "192.0.2.1", "POST", "main", headers) for body in bodies),
    )


async def apply_bodies(pool: Pool, *batches: Sequence[bytes]) -> list[Outcome]:
    """Apply batches of bodies, a message each; return the outcome of every callback in order."""
    outcomes: list[Outcome] = []
    for bodies in batches:
        outcomes += await apply_message(pool, message(bodies))
    return outcomes


async def apply_message(pool: Pool, *messages: CallbackMessage) -> list[Outcome]:
    """Apply messages in one batch; return the outcome of every callback that was not applied before."""
    read = [read_message(item, lambda _: "US") for item in messages]
    settled = await settle(pool, read, COMPANIES)
    return [
        settled.outcomes[callback.receipt]
        for item in read
        for callback in item.callbacks
        if callback.receipt in settled.outcomes
    ]


async def snapshot(connection: "Connection | Pool") -> dict[str, list[dict[str, Any]]]:
    """Return the state that must converge, table by table."""
    return {name: [dict(row) for row in await connection.fetch(query)] for name, query in STATE.items()}


async def clear(connection: "Connection | Pool") -> None:
    """Empty every table; for a few rows that is much faster than TRUNCATE, which makes new files."""
    await connection.execute(";".join(f"DELETE FROM {table}" for table in _TABLES))  # noqa: S608 - names of ours
