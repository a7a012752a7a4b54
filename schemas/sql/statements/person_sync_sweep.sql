-- Take syncs that are due but not under way, the longest waiting first. They are put off a little at once, so that no
-- other sweep takes them too. $1 bigint how many at most, $2 seconds to put them off, $3 boolean those an import asked
-- for, or else all others. Returns whom they are about.
WITH due AS MATERIALIZED (
    SELECT company_key, person_uid
    FROM person_sync
    WHERE status IN ('pending', 'postponed') AND bulk = $3::boolean AND next_attempt_at <= now()
    ORDER BY next_attempt_at
    LIMIT $1::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE person_sync AS sync SET
    status = 'pending',
    next_attempt_at = now() + make_interval(secs => $2::double precision)
FROM due
WHERE sync.company_key = due.company_key AND sync.person_uid = due.person_uid
RETURNING sync.company_key, sync.person_uid
