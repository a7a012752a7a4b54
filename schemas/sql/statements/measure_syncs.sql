-- What waits in the outbox and what is in conflict, by company, each counted up to $1 bigint; since when, in seconds, the
-- oldest waits that no import asked for (0: none); and how many requests of the next second nobody has leased yet (NULL:
-- nobody has leased any ever). Companies are found by leaps through an index, so no more is read than is counted.
WITH RECURSIVE companies AS (
    (SELECT company_key FROM person_sync ORDER BY company_key LIMIT 1)
    UNION ALL
    SELECT (
        SELECT sync.company_key FROM person_sync AS sync
        WHERE sync.company_key > companies.company_key
        ORDER BY sync.company_key
        LIMIT 1
    )
    FROM companies
    WHERE companies.company_key IS NOT NULL
)
SELECT
    companies.company_key,
    (
        SELECT count(*) FROM (
            SELECT FROM person_sync AS sync
            WHERE sync.company_key = companies.company_key AND sync.status IN ('pending', 'postponed')
            LIMIT $1::bigint
        ) AS counted
    ) AS pending,
    coalesce((
        SELECT extract(epoch FROM clock_timestamp() - min(sync.requested_at))::double precision
        FROM person_sync AS sync
        WHERE sync.company_key = companies.company_key AND NOT sync.bulk AND sync.status IN ('pending', 'postponed')
    ), 0) AS oldest_pending_seconds,
    (
        SELECT count(*) FROM (
            SELECT FROM person_sync AS sync
            WHERE sync.company_key = companies.company_key AND sync.status = 'conflict'
            LIMIT $1
        ) AS counted
    ) AS conflicts,
    rates.rate,
    rates.rate * least(greatest(
        1 - extract(epoch FROM rates.next_slot - clock_timestamp())::double precision, 0
    ), 1) AS budget_left
FROM companies
LEFT JOIN api_rates AS rates ON rates.company_key = companies.company_key
WHERE companies.company_key IS NOT NULL
ORDER BY companies.company_key
