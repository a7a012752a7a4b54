-- What does not balance, by company, of the ingest processes that published since $1. Of other processes nothing is read.
WITH changes AS MATERIALIZED (
    SELECT
        company_key,
        ingest_id,
        max(hour) AS hour,
        max(acknowledged) AS acknowledged,
        sum(applied + duplicates + quarantined + dead_lettered) AS dealt_with
    FROM callback_account_changes
    GROUP BY company_key, ingest_id
),
heard AS (
    SELECT company_key, ingest_id FROM callback_account_hours WHERE hour >= $1::timestamptz
    UNION
    SELECT company_key, ingest_id FROM changes WHERE hour >= $1::timestamptz
),
balances AS (
    SELECT
        heard.company_key,
        greatest(hours.acknowledged, changes.acknowledged)
        - coalesce(hours.dealt_with, 0) - coalesce(changes.dealt_with, 0) AS balance
    FROM heard
    LEFT JOIN changes USING (company_key, ingest_id)
    CROSS JOIN LATERAL (
        SELECT max(acknowledged) AS acknowledged, sum(applied + duplicates + quarantined + dead_lettered) AS dealt_with
        FROM callback_account_hours AS hours
        WHERE hours.company_key = heard.company_key AND hours.ingest_id = heard.ingest_id
    ) AS hours
)
SELECT
    company_key,
    least(sum(greatest(balance, 0)), 9223372036854775807)::bigint AS missing,
    least(sum(greatest(-balance, 0)), 9223372036854775807)::bigint AS unreported
FROM balances
GROUP BY company_key
