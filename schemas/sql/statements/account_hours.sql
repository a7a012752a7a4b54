-- The accounts of every ingest process that published in a span of time, hour by hour since its start, in that order.
-- $1 beginning and $2 end of the span, $3 company, each NULL for no bound.
WITH parts AS NOT MATERIALIZED (
    SELECT * FROM callback_account_hours
    UNION ALL
    SELECT * FROM callback_account_changes
),
heard AS (
    SELECT DISTINCT company_key, ingest_id
    FROM parts
    WHERE
        hour >= coalesce($1::timestamptz, '-infinity') AND hour < coalesce($2::timestamptz, 'infinity')
        AND ($3::text IS NULL OR company_key = $3)
)
SELECT
    company_key,
    ingest_id,
    hour,
    max(acknowledged) AS acknowledged,
    sum(applied)::bigint AS applied,
    sum(duplicates)::bigint AS duplicates,
    sum(quarantined)::bigint AS quarantined,
    sum(dead_lettered)::bigint AS dead_lettered
FROM heard
JOIN parts USING (company_key, ingest_id)
GROUP BY company_key, ingest_id, hour
ORDER BY company_key, ingest_id, hour
