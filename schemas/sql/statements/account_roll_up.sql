-- Add what batches left in callback_account_changes to callback_account_hours: $1 rows at most; return how many.
-- Whoever else does it at the same time takes other rows, and waits for these hours in the same order.
WITH taken AS (
    DELETE FROM callback_account_changes
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM callback_account_changes LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING *
),
added AS (
    INSERT INTO callback_account_hours AS hours
    SELECT
        company_key,
        ingest_id,
        hour,
        max(acknowledged),
        sum(applied),
        sum(duplicates),
        sum(quarantined),
        sum(dead_lettered),
        max(last_received_at),
        max(last_applied_at)
    FROM taken
    GROUP BY company_key, ingest_id, hour
    ORDER BY company_key, ingest_id, hour
    ON CONFLICT (company_key, ingest_id, hour) DO UPDATE SET
        acknowledged = greatest(hours.acknowledged, excluded.acknowledged),
        applied = hours.applied + excluded.applied,
        duplicates = hours.duplicates + excluded.duplicates,
        quarantined = hours.quarantined + excluded.quarantined,
        dead_lettered = hours.dead_lettered + excluded.dead_lettered,
        last_received_at = greatest(hours.last_received_at, excluded.last_received_at),
        last_applied_at = greatest(hours.last_applied_at, excluded.last_applied_at)
)
SELECT count(*) FROM taken
