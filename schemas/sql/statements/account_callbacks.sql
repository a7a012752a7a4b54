-- What each ingest process has acknowledged for each company, and what became of it. $1 company, or NULL for all.
SELECT
    company_key,
    ingest_id,
    max(acknowledged) AS acknowledged,
    sum(applied)::bigint AS applied,
    sum(duplicates)::bigint AS duplicates,
    sum(quarantined)::bigint AS quarantined,
    sum(dead_lettered)::bigint AS dead_lettered,
    max(last_received_at) AS last_received_at,
    max(last_applied_at) AS last_applied_at
FROM callback_accounts
WHERE $1::text IS NULL OR company_key = $1
GROUP BY company_key, ingest_id
ORDER BY company_key, ingest_id
