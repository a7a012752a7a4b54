-- The last calls about some persons or records. $1 text company, $2 uuid[] whom, $3 bigint how many at most.
SELECT called_at, method, route, status, error, attempt, latency_seconds
FROM person_api_calls
WHERE company_key = $1 AND person_uid = ANY ($2::uuid[])
ORDER BY called_at DESC
LIMIT $3::bigint
