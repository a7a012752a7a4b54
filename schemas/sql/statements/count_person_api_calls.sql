-- Calls to the Vibes API since $1, by company and how they ended.
SELECT
    company_key,
    count(*) AS calls,
    count(*) FILTER (WHERE status BETWEEN 200 AND 299) AS succeeded,
    count(*) FILTER (WHERE status = 429) AS rate_limited,
    count(*) FILTER (WHERE status IS NULL OR status NOT BETWEEN 200 AND 299) AS failed
FROM person_api_calls
WHERE called_at >= $1
GROUP BY company_key
ORDER BY company_key
