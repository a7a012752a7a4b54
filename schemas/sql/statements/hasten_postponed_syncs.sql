-- Have syncs that were put off dealt with now; imports stay behind the others. $1 text company, $2 timestamptz those put
-- off until a later time than this, $3 bigint how many at most. Returns them.
WITH picked AS MATERIALIZED (
    SELECT company_key, person_uid
    FROM person_sync
    WHERE company_key = $1 AND status = 'postponed' AND next_attempt_at > $2::timestamptz
    LIMIT $3::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE person_sync AS sync SET next_attempt_at = $2::timestamptz
FROM picked
WHERE sync.company_key = picked.company_key AND sync.person_uid = picked.person_uid
RETURNING sync.person_uid
