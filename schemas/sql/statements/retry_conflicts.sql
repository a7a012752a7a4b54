-- Make conflicts due now, ahead of imports. $1 text company, $2 uuid[] which (NULL: any), $3 integer HTTP status (NULL:
-- any), $4 timestamptz those found until then, so that one refused again is not taken twice (NULL: whenever), $5 bigint
-- how many at most. Returns those it made due; a row that somebody else has dealt with meanwhile is not among them.
WITH picked AS MATERIALIZED (
    SELECT company_key, person_uid
    FROM person_sync
    WHERE company_key = $1
      AND status = 'conflict'
      AND ($2::uuid[] IS NULL OR person_uid = ANY ($2::uuid[]))
      AND ($3::integer IS NULL OR last_status = $3)
      AND ($4::timestamptz IS NULL OR finished_at <= $4)
    ORDER BY person_uid
    LIMIT $5::bigint
    FOR UPDATE
)
UPDATE person_sync AS sync SET
    status = 'pending',
    bulk = false,
    desired_version = sync.desired_version + 1,
    next_attempt_at = now(),
    requested_at = now()
FROM picked
WHERE sync.company_key = picked.company_key AND sync.person_uid = picked.person_uid
RETURNING sync.person_uid
