-- Conflicts, the newest first, with how many there are and how many calls were made for each. $1 text company (NULL:
-- all), $2 integer HTTP status (NULL: any), $3 timestamptz since when (NULL: ever), $4 bigint how many to return.
WITH conflicts AS (
    SELECT
        company_key, person_uid, external_person_id, status, last_error, last_status, last_route, last_message,
        finished_at, requested_at, count(*) OVER () AS total
    FROM person_sync
    WHERE status = 'conflict'
      AND ($1::text IS NULL OR company_key = $1)
      AND ($2::integer IS NULL OR last_status = $2)
      AND ($3::timestamptz IS NULL OR finished_at >= $3)
    ORDER BY finished_at DESC, person_uid
    LIMIT $4::bigint
)
SELECT
    conflicts.*,
    (
        SELECT count(*) FROM person_api_calls AS call
        WHERE call.person_uid = conflicts.person_uid AND call.company_key = conflicts.company_key
    ) AS calls
FROM conflicts
ORDER BY finished_at DESC, person_uid
