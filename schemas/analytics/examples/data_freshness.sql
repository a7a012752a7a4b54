-- Up to when are the numbers complete, and what is missing from them?
SELECT company_key, last_received_at, last_event_date, open_dead_letters, as_of > last_received_at AS up_to_date
FROM analytics.data_freshness
ORDER BY company_key
