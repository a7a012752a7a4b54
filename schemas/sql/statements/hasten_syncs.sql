-- Have syncs that are waiting dealt with now, ahead of imports. $1 text company, $2 uuid[] which.
WITH picked AS MATERIALIZED (
    SELECT company_key, person_uid
    FROM person_sync
    WHERE company_key = $1 AND person_uid = ANY ($2::uuid[]) AND status IN ('pending', 'postponed')
    ORDER BY person_uid
    FOR UPDATE
)
UPDATE person_sync AS sync SET status = 'pending', bulk = false, next_attempt_at = now()
FROM picked
WHERE sync.company_key = picked.company_key AND sync.person_uid = picked.person_uid
RETURNING sync.person_uid
