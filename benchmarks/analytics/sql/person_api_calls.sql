INSERT INTO person_api_calls (called_at, company_key, method, route, status, attempt, latency_seconds)
SELECT
    pg_temp.moment(history, 1), company_key, 'PUT', '/persons/external/{external_person_id}',
    CASE WHEN number % 50 = 0 THEN 429 WHEN number % 31 = 0 THEN 404 ELSE 200 END, 1, random()
FROM history
CROSS JOIN generate_series(1, events / 10) AS number
