-- How many persons are in each state of the outbox, and since when the oldest of those due is waiting.
SELECT company_key, status, count(*) AS persons, min(requested_at) AS oldest_requested_at
FROM person_sync
GROUP BY company_key, status
ORDER BY company_key, status
