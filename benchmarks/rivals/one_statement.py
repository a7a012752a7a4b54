"""The best case of an event at a time: all of it in one statement, which is one transaction and one round trip.

Nobody writes it like this at first: the ordinary way (`benchmarks.rivals.store`) takes six or seven round trips.
"""

from benchmarks.rivals.event import read
from runtime.postgres import Pool

_CLAIM = """
WITH claimed AS (
    INSERT INTO rival.ledger (company_key, callback_type, event_id) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING RETURNING company_key
), logged AS (
    INSERT INTO rival.events (company_key, callback_type, event_id, event_date, person_id, payload)
    SELECT company_key, $2, $3, $4::timestamptz, $5, $6::jsonb FROM claimed
)
"""
_OTHER = f"{_CLAIM} SELECT FROM claimed"
_SUBSCRIPTION = f"""{_CLAIM}, person AS (
    INSERT INTO rival.persons AS held (company_key, person_id, external_person_id, mdn)
    SELECT company_key, $5, $7, $8 FROM claimed
    ON CONFLICT (company_key, person_id) DO UPDATE
    SET external_person_id = coalesce(excluded.external_person_id, held.external_person_id),
        mdn = coalesce(excluded.mdn, held.mdn)
)
INSERT INTO rival.subscriptions AS held (company_key, person_id, list_id, opt_in_date, opt_out_date, opt_out_reason)
SELECT company_key, $5, $9, $10, $11, $12 FROM claimed
ON CONFLICT (company_key, person_id, list_id, opt_in_date) DO UPDATE
SET opt_out_date = coalesce(excluded.opt_out_date, held.opt_out_date),
    opt_out_reason = coalesce(excluded.opt_out_reason, held.opt_out_reason)
"""  # noqa: S608 - made of constants
_PERSON = f"""{_CLAIM}
INSERT INTO rival.persons AS held (company_key, person_id, external_person_id, mdn, custom_fields, updated_at)
SELECT company_key, $5, $7, $8, $9::jsonb, $10 FROM claimed
ON CONFLICT (company_key, person_id) DO UPDATE
SET external_person_id = excluded.external_person_id, mdn = excluded.mdn,
    custom_fields = excluded.custom_fields, updated_at = excluded.updated_at
WHERE held.updated_at IS NULL OR held.updated_at <= excluded.updated_at
"""  # noqa: S608 - made of constants


async def apply(pool: Pool, company_key: str, body: bytes) -> None:
    """Apply one event. Raises asyncpg's errors, KeyError and ValueError."""
    event = read(body)
    person_id, *names = event.person
    claim = (company_key, event.callback_type, event.event_id, event.event_date, person_id, event.body)
    if event.stay:
        await pool.execute(_SUBSCRIPTION, *claim, *names, *event.stay)
    elif event.profile:
        await pool.execute(_PERSON, *claim, *names, *event.profile)
    else:
        await pool.execute(_OTHER, *claim)
