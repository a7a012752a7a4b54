-- Change what became of the callbacks of some broker messages, and the audit's sums by the difference. Arrays, one element
-- a message: $1 uuid message ids, $2 text outcomes, and how many of each: $3 integer applied, $4 integer duplicates,
-- $5 integer quarantined, $6 integer dead-lettered. The messages are locked already.
WITH told AS (
    SELECT told.*, before.company_key, before.ingest_id, before.received_at, before.applied_at,
        told.applied - before.applied AS more_applied,
        told.duplicates - before.duplicates AS more_duplicates,
        told.quarantined - before.quarantined AS more_quarantined,
        told.dead_lettered - before.dead_lettered AS more_dead_lettered
    FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[], $5::integer[], $6::integer[])
        AS told (message_id, outcomes, applied, duplicates, quarantined, dead_lettered)
    JOIN callback_messages AS before USING (message_id)
),
changed AS (
    UPDATE callback_messages AS messages SET
        outcomes = told.outcomes,
        applied = told.applied,
        duplicates = told.duplicates,
        quarantined = told.quarantined,
        dead_lettered = told.dead_lettered
    FROM told
    WHERE messages.message_id = told.message_id
)
INSERT INTO callback_account_changes (
    company_key, ingest_id, hour, acknowledged, applied, duplicates, quarantined, dead_lettered, last_received_at,
    last_applied_at
)
SELECT
    company_key,
    ingest_id,
    message_hour(message_id, received_at),
    0,
    sum(more_applied),
    sum(more_duplicates),
    sum(more_quarantined),
    sum(more_dead_lettered),
    max(received_at),
    max(applied_at)
FROM told
GROUP BY 1, 2, 3
